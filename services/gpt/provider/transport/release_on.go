//go:build meshclone || race

package transport

// release spoils an answer that has come to its end: who uses it later is found out.
func (a *answer) release() { *a = answer{} }

// release spoils a request that was made, likewise.
func (o *outbound) release() { *o = outbound{} }
