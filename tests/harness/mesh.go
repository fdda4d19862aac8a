package harness

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// Config says what a test needs.
type Config struct {
	// Combination is the shape and the store. The zero value is Up on SQLite.
	Combination
	// Provider is where models are. Nil leaves echo alone.
	Provider *provider.Provider
	// Settings are the configuration file, over what the harness sets itself,
	// member by member.
	Settings map[string]any
	// Env are further variables of every process.
	Env map[string]string
	// EnvOf are further variables of one process.
	EnvOf func(process string) map[string]string
	// Key is what the mesh's clients show. Empty shows none.
	Key string
	// TLS is the folder with the certificates of mutual TLS. Empty means none.
	TLS string
	// Through returns the address by which a process reaches another's room,
	// in place of address. Nil means address.
	Through func(from, to, address string) string
	// Database is the database of a mesh on PostgreSQL, to share it with another.
	// Empty makes one.
	Database string
	// Binary is the program. Empty means Binary(t).
	Binary string
}

// Mesh is a running mesh.
type Mesh struct {
	Config
	// URL is the address of the HTTP faces, "http://127.0.0.1:1234".
	URL string
	// Processes are in the order of their start.
	Processes []*Process
	// Dir is the folder of this mesh: configuration and embedded stores.
	Dir string

	clients clients
}

// Start starts a mesh, waits until all of it is ready, and ends it with the
// test.
func Start(t testing.TB, config Config) *Mesh {
	t.Helper()
	m := New(t, config)
	for _, p := range m.Processes {
		p.Begin(t)
	}
	m.AwaitReady(t)
	return m
}

// AwaitReady waits until every process is ready.
func (m *Mesh) AwaitReady(t testing.TB) {
	t.Helper()
	for _, p := range m.Processes {
		p.AwaitReady(t)
	}
}

// New makes a mesh without starting it.
func New(t testing.TB, config Config) *Mesh {
	t.Helper()
	if config.Shape == "" {
		config.Shape = Up
	}
	if config.Store == "" {
		config.Store = SQLite
	}
	if config.Binary == "" {
		config.Binary = Binary(t)
	}
	m := &Mesh{Config: config, Dir: t.TempDir()}
	http := Address(t)
	m.URL = "http://" + http
	file := m.writeSettings(t)

	env := m.environment()
	if config.Store == PostgreSQL {
		if env["GPTMESH_DATABASE_URL"] = config.Database; config.Database == "" {
			env["GPTMESH_DATABASE_URL"] = pgtest.DB(t)
		}
	}
	for _, g := range config.Shape.groups() {
		p := &Process{Name: g.name, Rooms: g.rooms, GRPC: Address(t), Admin: Address(t), binary: config.Binary, dir: m.Dir}
		p.args = []string{"serve"}
		if g.name == "up" {
			p.args = []string{"up"}
		} else {
			p.args = append(p.args, g.rooms...)
		}
		p.args = append(p.args, "--config", file, "--data", filepath.Join(m.Dir, "data-"+g.name), "--grpc", p.GRPC, "--admin", p.Admin)
		if slices.Contains(g.rooms, "gateway") {
			p.args = append(p.args, "--http", http)
		}
		m.Processes = append(m.Processes, p)
	}
	for _, p := range m.Processes {
		p.env = m.environmentOf(p, env)
	}
	m.clients.open(t, m)
	t.Cleanup(func() {
		states := map[*Process]string{}
		for _, p := range slices.Backward(m.Processes) {
			states[p] = p.state()
			p.stop()
		}
		if t.Failed() {
			for _, p := range m.Processes {
				t.Logf("--- %s (%s)\n%s", p.Name, states[p], tail(p.Output()))
			}
		}
	})
	return m
}

// Of returns the process that runs a room.
func (m *Mesh) Of(room string) *Process {
	for _, p := range m.Processes {
		if slices.Contains(p.Rooms, room) {
			return p
		}
	}
	return nil
}

// Command returns the arguments and the environment with which another program
// would run as a process of this mesh does, for tests that start one by hand.
func (p *Process) Command() (binary string, args, env []string) {
	return p.binary, slices.Clone(p.args), slices.Clone(p.env)
}

// environment is what every process sees: nothing of the machine's own
// configuration.
func (m *Mesh) environment() map[string]string {
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": m.Dir, "TMPDIR": os.TempDir(),
		// Nobody listens there: a server of this machine must not be found.
		"OLLAMA_HOST": "http://127.0.0.1:9",
	}
	if p := m.Provider; p != nil {
		env["OPENAI_API_KEY"], env["OPENAI_BASE_URL"] = "sk-scripted-openai", p.OpenAI.URL+"/v1"
		env["ANTHROPIC_API_KEY"], env["ANTHROPIC_BASE_URL"] = "sk-scripted-anthropic", p.Anthropic.URL
		env["OLLAMA_HOST"] = p.Ollama.URL
	}
	maps.Copy(env, m.Env)
	return env
}

// environmentOf adds where the other rooms are.
func (m *Mesh) environmentOf(p *Process, common map[string]string) []string {
	env := maps.Clone(common)
	for _, other := range m.Processes {
		for _, room := range other.Rooms {
			if other != p && room != "gateway" {
				address := other.GRPC
				if m.Through != nil {
					address = m.Through(p.Name, room, address)
				}
				env["GPTMESH_"+strings.ToUpper(room)+"_ADDR"] = address
			}
		}
	}
	if m.TLS != "" {
		// A process of several rooms shows the first one's certificate.
		env["GPTMESH_TLS_CA"] = filepath.Join(m.TLS, "ca.pem")
		env["GPTMESH_TLS_CERT"] = filepath.Join(m.TLS, p.Rooms[0]+".pem")
		env["GPTMESH_TLS_KEY"] = filepath.Join(m.TLS, p.Rooms[0]+".key")
	}
	if m.EnvOf != nil {
		maps.Copy(env, m.EnvOf(p.Name))
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		list = append(list, key+"="+env[key])
	}
	return list
}

// writeSettings writes the configuration file. JSON is YAML.
func (m *Mesh) writeSettings(t testing.TB) string {
	t.Helper()
	settings := map[string]any{"log": map[string]any{"format": "json", "level": "info"}}
	merge(settings, m.Settings)
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(m.Dir, "gptmesh.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// merge puts the members of from over those of into.
func merge(into, from map[string]any) {
	for key, value := range from {
		inner, ok := value.(map[string]any)
		there, same := into[key].(map[string]any)
		if ok && same {
			merge(there, inner)
			continue
		}
		into[key] = value
	}
}
