package edge

import (
	"bytes"
	"errors"
	"testing"
	"testing/iotest"
)

func TestReadAll(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 511, 512, firstRead - 1, firstRead, firstRead + 1, 3*firstRead + 7} {
		body := bytes.Repeat([]byte("x"), n)
		for _, said := range []int64{512, int64(n) + 1, int64(n)/2 + 1} {
			got, err := readAll(iotest.DataErrReader(bytes.NewReader(body)), said, int64(n))
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes, %d said: %d read, %v", n, said, len(got), err)
			}
		}
		if n > 0 {
			if _, err := readAll(bytes.NewReader(body), 512, int64(n)-1); !errors.Is(err, errTooLarge) {
				t.Errorf("%d bytes over the limit: %v", n, err)
			}
		}
	}
	// What is said brings about little memory before the bytes are there.
	if got, err := readAll(bytes.NewReader([]byte("x")), 1<<30, 1<<31); err != nil || cap(got) > firstRead {
		t.Errorf("%d bytes for one, %v", cap(got), err)
	}
}
