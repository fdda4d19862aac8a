//go:build !meshclone && !race

package http1

// poison spoils memory that was lent, in test builds.
func poison([]byte) {}

// release gives the exchange back. Its handler has returned.
func (e *exchange) release() {
	*e = exchange{}
	exchanges.Put(e)
}
