//go:build !meshclone && !race

package transport

// release gives an answer back that has come to its end.
func (a *answer) release() {
	*a = answer{list: forgotten(a.list)}
	answers.Put(a)
}

// release gives a request back that was made.
func (o *outbound) release() {
	*o = outbound{}
	outbounds.Put(o)
}
