// Package builtin holds the default model of the classifier: one set with a
// head for each question that the mesh asks about a text. It is trained by
// `make classifier-model` on data that may be shipped; docs/model-card.md says
// what it knows and what it does not.
package builtin

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"fmt"
	"io"
	"sync"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

//go:embed default.model.deflate
var packed []byte

var load = sync.OnceValues(func() (*learn.Set, error) {
	data, err := Unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("default model: %w", err)
	}
	set, err := learn.LoadSet(data)
	if err != nil {
		return nil, fmt.Errorf("default model: %w", err)
	}
	return set, nil
})

// Load returns the default set. The first call unpacks it, which takes some
// milliseconds and the memory of the model; later calls return the same set.
// It is safe for concurrent use.
func Load() (*learn.Set, error) { return load() }

// maxBytes bounds an unpacked set.
const maxBytes = 64 << 20

// Pack makes the file that the program carries of a set's file.
func Pack(set []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(set); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unpack is the reverse of Pack.
func Unpack(packed []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(packed))
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("it has more than %d bytes", maxBytes)
	}
	return data, err
}
