// Package compat runs the client libraries that people have in their programs
// against a running mesh: OpenAI's and Anthropic's for Go, and Ollama's own.
// Each is asked for everything it can do over every wire that the mesh speaks to
// providers; so are parsers as strict as those of editors' plugins. The outcome is
// told as a table (go test -v), and goes into docs/compatibility.md with make
// compat.
package compat
