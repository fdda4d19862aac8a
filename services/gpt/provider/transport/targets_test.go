package transport

import (
	"strconv"
	"testing"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	client, err := New(Config{BaseURL: "http://127.0.0.1:1/v1/", Query: "a=b"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxTargets {
		path := "/models/" + strconv.Itoa(i)
		want, err := client.parse(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := client.Target(path); err != nil || got != want {
				t.Fatalf("%v (%v), want %v", got, err, want)
			}
		}
	}
	if n := len(*client.targets.known.Load()); n > maxTargets {
		t.Errorf("%d addresses are kept", n)
	}
	if _, err := client.Target("/%zz"); err == nil {
		t.Error("a broken address was taken")
	}
}
