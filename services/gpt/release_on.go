//go:build meshclone || race

package gpt

// release spoils the memory of a call that nobody should know of any more: who
// uses it later is found out.
func (g *generation) release() { *g = generation{} }
