package config

import (
	"slices"
	"testing"
)

func TestStrays(t *testing.T) {
	t.Parallel()
	got := Strays(&whole{}, "T", []string{
		"T_HTTP=x", "TEST_ADDR=x", "T_CLIENT=x", "PATH=x", "TEA=x", "T_SESSION_LIMIT=1", // known, or another program's
		"T_SERVICE_HOST=10.0.0.1", "T_SERVICE_PORT=1", "T_SERVICE_PORT_HTTP=1", "T_PORT=tcp://10.0.0.1:1", "T_PORT_4700_TCP_ADDR=x", "T_GATEWAY_PORT_4700_TCP=x",
		"T_SESION_LIMIT=1", "T_HTTP_ADDR=x", "T_SOMETHING_ELSE=x", "T_KEY=x",
	}, "T_CLIENT")
	want := []Stray{
		{Name: "T_HTTP_ADDR", Near: "T_HTTP"},
		{Name: "T_KEY", Near: "T_KEYS"},
		{Name: "T_SESION_LIMIT", Near: "T_SESSION_LIMIT"},
		{Name: "T_SOMETHING_ELSE"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestListOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := load(t, "", map[string]string{"T_KEYS": " , "}); err == nil {
		t.Error("a list of nothing is taken for none")
	}
}
