//go:build meshclone || race

package http1

import "net/http"

// poison spoils memory that was lent: who uses it later is found out.
func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

// release spoils the exchange: a handler that still uses it is found out.
func (e *exchange) release() { *e = exchange{request: http.Request{Method: "OVER"}} }
