package slab_test

import (
	"testing"

	"github.com/gptmesh/gptmesh/pkg/slab"
)

func TestLend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, want int }{
		{-1, slab.Least}, {0, slab.Least}, {1, slab.Least}, {slab.Least, slab.Least}, {slab.Least + 1, 2 * slab.Least},
		{2 * slab.Least, 2 * slab.Least}, {slab.Most/2 + 1, slab.Most}, {slab.Most, slab.Most}, {slab.Most + 1, 0},
	} {
		s := slab.Lend(c.n)
		if s == nil {
			if c.want != 0 {
				t.Errorf("nothing for %d bytes", c.n)
			}
			continue
		}
		if len(s.Bytes) != c.want {
			t.Errorf("%d bytes for %d, want %d", len(s.Bytes), c.n, c.want)
		}
		s.Return()
	}
}
