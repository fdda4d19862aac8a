// Package config fills a configuration struct from a YAML file and the
// environment, strictly: a key that the struct does not have is an error that
// suggests the nearest one.
//
// A field's key is its yaml tag; nested structs nest. Its variable is the
// prefix and the path in capitals, "session.idle_timeout" →
// GPTMESH_SESSION_IDLE_TIMEOUT; the tag env adds another name that wins over
// it. A field with the tag secret:"true" is never printed.
//
// Values in the environment: text as it is, numbers and booleans in Go's form,
// durations like "30s", lists with commas. An empty one is as none. Maps and lists
// of structs can be set in the file only.
package config
