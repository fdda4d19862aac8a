// Package face asks the mesh for answers through each of its faces in one form:
// OpenAI's and Ollama's HTTP, and native gRPC. The readers are strict: what the
// protocol does not allow is an error, not passed over.
package face
