package stacks

import "testing"

type counting int

func (c *counting) Run() { *c++ }

func BenchmarkDo(b *testing.B) {
	var p Pool
	defer p.Close()
	b.ReportAllocs()
	var n counting
	for b.Loop() {
		p.Do(&n)
	}
}
