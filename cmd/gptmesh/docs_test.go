package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// words splits a line of shell as far as the documents use it: quotes, comments
// and what stands for other programs are left out.
func words(line string) (out []string) {
	var word strings.Builder
	open, quote := false, rune(0)
	end := func() {
		if open {
			out = append(out, word.String())
		}
		word.Reset()
		open = false
	}
	for _, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
				continue
			}
		case r == '\'' || r == '"':
			open, quote = true, r
			continue
		case r == ' ':
			end()
			continue
		case r == '#' && !open, r == '&', r == '<', r == '|':
			end()
			return out
		}
		open = true
		word.WriteRune(r)
	}
	end()
	return out
}

// documented returns the commands of this program in the blocks of shell of a
// document, a list for each block.
func documented(t *testing.T, path string) (blocks [][][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 0 || !strings.HasPrefix(part, "sh\n") {
			continue
		}
		var block [][]string
		for line := range strings.Lines(strings.ReplaceAll(part, "\\\n", " ")) {
			line := words(strings.TrimSpace(line))
			at := slices.IndexFunc(line, func(w string) bool { return w == "gptmesh" || w == "bin/gptmesh" })
			synopsis := slices.ContainsFunc(line, func(w string) bool { return strings.HasPrefix(w, "[") || strings.HasSuffix(w, "...") })
			if at >= 0 && !synopsis && !slices.ContainsFunc(line[:at], func(w string) bool { return !strings.Contains(w, "=") }) {
				block = append(block, line[at+1:])
			}
		}
		if block != nil {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// What the documents tell a reader to type is understood, and processes that are
// started beside each other get each a folder and addresses of their own.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range append(paths, "../../README.md") {
		for _, block := range documented(t, path) {
			taken := map[string]string{}
			for _, arguments := range block {
				var c commands
				parser, err := kong.New(&c, kong.Vars{"version": ""}, kong.Exit(func(int) {}))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := parser.Parse(arguments); err != nil && !strings.Contains(err.Error(), "no such file") {
					t.Errorf("%s: gptmesh %s: %v", path, strings.Join(arguments, " "), err)
				}
				seen++
				if arguments[0] != "serve" {
					continue
				}
				for flag, value := range map[string]string{"--data": c.Serve.Data, "--grpc": c.Serve.GRPC, "--admin": c.Serve.Admin} {
					if value == "off" {
						continue
					}
					if other, ok := taken[flag+value]; ok {
						t.Errorf("%s: %q of gptmesh %s is that of gptmesh %s", path, flag+" "+value, strings.Join(arguments, " "), other)
					}
					taken[flag+value] = strings.Join(arguments, " ")
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("%d commands were found: the documents are not read", seen)
	}
}

// A process that lacks the room says so in words, and is no mesh that is away.
func TestCommandsNameARoomThatIsElsewhere(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.Addresses.Session, s.Addresses.GPT, s.Addresses.Classifier = "127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1"
	h, err := start(t.Context(), &s, []string{"response", "request"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.group.Shutdown(t.Context())
	at := clientFlags{Addr: s.GRPC}
	if err := (modelsCommand{at}).Run(); err == nil || !strings.Contains(err.Error(), "does not run the room") {
		t.Errorf("models: %v", err)
	}
	if !(doctorCommand{clientFlags: at}).mesh(&doctor{}) {
		t.Error("doctor takes the process for none")
	}
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for service, known := range map[string]bool{"": true, "gptmesh.request.v1.RequestService": true, "gptmesh.gpt.v1.GPTService": false} {
		_, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
		if known != (err == nil) {
			t.Errorf("the health of %q: %v", service, err)
		}
	}
	for _, state := range h.group.Ready(t.Context()) {
		if strings.HasSuffix(state.Name, " connection") && !strings.Contains(fault.From(state.Err).Message, "cannot be reached") {
			t.Errorf("%s: %v", state.Name, state.Err)
		}
	}
}
