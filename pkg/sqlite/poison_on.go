//go:build meshclone

package sqlite

// poison spoils memory that was given back, so that whoever uses it still is found.
func poison(b []byte) {
	b = b[:cap(b)]
	for i := range b {
		b[i] = 0xdb
	}
}
