package auth

import (
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	a, err := New(Config{APIKeys: []string{"k1", "k2"}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := a.Authenticate("k1")
	if err != nil || one.Kind != callctx.Key {
		t.Fatalf("Authenticate(k1) = %v, %v", one, err)
	}
	two, err := a.Authenticate(" k2 ")
	if err != nil || two.ID == one.ID {
		t.Fatalf("Authenticate(k2) = %v, %v; want another principal than k1's %v", two, err, one)
	}
	for _, bad := range []string{"", "k3", "K1"} {
		if _, err := a.Authenticate(bad); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED) {
			t.Errorf("Authenticate(%q) = %v, want UNAUTHENTICATED", bad, err)
		}
	}
}

func TestOpenTakesAnyKey(t *testing.T) {
	t.Parallel()
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "anything"} {
		if p, err := a.Authenticate(key); err != nil || p.Kind != callctx.Local {
			t.Errorf("Authenticate(%q) = %v, %v, want local", key, p, err)
		}
	}
	if a.Room("") {
		t.Error("Room(\"\") = true without a secret")
	}
	other, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !a.Room(a.OwnSecret()) || a.Room(other.OwnSecret()) {
		t.Error("a process does not know itself alone")
	}
	if !a.Room(other.MeshSecret()) {
		t.Error("rooms without keys do not know each other")
	}
	for _, keyed := range []Config{{APIKeys: []string{"k"}}, {MeshSecret: "sixteen and more"}} {
		b, err := New(keyed)
		if err != nil {
			t.Fatal(err)
		}
		if b.Room(a.MeshSecret()) || a.Room(b.MeshSecret()) {
			t.Errorf("with %v the secret of a mesh without keys is good", keyed)
		}
	}
}

func TestMeshSecretIsSharedByEqualKeys(t *testing.T) {
	t.Parallel()
	a, _ := New(Config{APIKeys: []string{"k1", "k2"}})
	b, _ := New(Config{APIKeys: []string{"k2", "k1"}})
	c, _ := New(Config{APIKeys: []string{"k1"}})
	if !a.Room(b.MeshSecret()) {
		t.Error("processes with the same keys do not know each other")
	}
	if a.Room(c.MeshSecret()) || a.Room("") {
		t.Error("a process with other keys passes for a room")
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer k": "k", "bearer  k ": "k", "k": "k", "Bearer": "", "Bearer ": "", "": "", "Basic abc": "",
	} {
		if got := Bearer(header); got != want {
			t.Errorf("Bearer(%q) = %q, want %q", header, got, want)
		}
	}
}
