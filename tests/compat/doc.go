// Package compat runs the client libraries that people have in their programs
// against a running mesh: OpenAI's for Go and Ollama's own. Each is asked for
// everything it can do over every wire that the mesh speaks to providers, and
// the outcome is told as a table (go test -v).
package compat
