//go:build meshclone || race

package response

// poison spoils memory that was lent: who uses it later is found out.
func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}
