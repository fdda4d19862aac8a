package wire

// Release gives the memory of a decoder or a scanner that a codec made to others,
// where the codec takes it back: it must not be used any more. What it gave out stays,
// but for what it lent, see Lender.
func Release(made any) {
	if made, ok := made.(interface{ Release() }); ok {
		made.Release()
	}
}
