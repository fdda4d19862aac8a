package learn

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
)

// The file of a model, little-endian:
//
//	0   4  magic "GMLH"
//	4   2  format version
//	6   2  extractor version
//	8   4  length of the metadata
//	12  4  number of keys
//	16  4  number of entries (sparse), 0 (dense)
//	20  2  number of outputs
//	22  1  bits of the bucket index
//	23  1  flags: 1 sparse, 2 wide outputs
//	24  4  CRC-32C of everything after the header
//	28     metadata (JSON), biases, scales (float32 each), index (uint32),
//	       keys (uint16), then dense weights (int8), or row starts (uint32),
//	       and entries: output (uint8 or uint16) and weight (int8)
const (
	magic         = "GMLH"
	formatVersion = 1
	headerBytes   = 28

	flagSparse = 1
	flagWide   = 2

	maxModelBytes = 64 << 20 // of one model
	maxKeys       = 1 << 22
)

// ErrCorrupt is wrapped by every error of Load and LoadSet about bytes that
// are no whole, valid model.
var ErrCorrupt = errors.New("not a valid model")

// ErrVersion is wrapped where the file is of a version that this engine does
// not read.
var ErrVersion = errors.New("model of another version")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// weights is a model's numbers before they are laid out.
type weights struct {
	k     int
	keys  []uint32  // ascending
	w     []float32 // key*k + output; zero where pruned
	bias  []float32
	dense bool
}

// encode lays a model out. Weights become steps of one byte; the entries of a
// sparse model that became zero are left out.
func encode(meta Metadata, q *weights) ([]byte, error) {
	bucketBits := min(max(bits.Len(uint(len(q.keys)))-1, 1), 16)
	shift := uint(32 - bucketBits)
	scale := make([]float32, q.k)
	for i, v := range q.w {
		o := i % q.k
		scale[o] = max(scale[o], float32(math.Abs(float64(v))))
	}
	for o := range scale {
		scale[o] /= 127
	}
	// Keys that agree in what is stored of them: the first stays.
	var kept []int
	for i, key := range q.keys {
		if i > 0 && len(kept) > 0 && key>>(shift-16) == q.keys[kept[len(kept)-1]]>>(shift-16) {
			continue
		}
		kept = append(kept, i)
	}
	step := func(i, o int) int8 {
		if scale[o] == 0 {
			return 0
		}
		return int8(math.RoundToEven(float64(q.w[i*q.k+o] / scale[o])))
	}
	var index, rest, rows, pairs, dense []byte
	var entries uint32
	wide := q.k > 256
	next := 0
	for b := range 1 << bucketBits {
		index = binary.LittleEndian.AppendUint32(index, uint32(next))
		for next < len(kept) && int(q.keys[kept[next]]>>shift) == b {
			i := kept[next]
			rest = binary.LittleEndian.AppendUint16(rest, uint16(q.keys[i]<<(32-shift)>>16))
			rows = binary.LittleEndian.AppendUint32(rows, entries)
			for o := range q.k {
				s := step(i, o)
				if q.dense {
					dense = append(dense, byte(s))
				} else if s != 0 {
					entries++
					if wide {
						pairs = binary.LittleEndian.AppendUint16(pairs, uint16(o))
					} else {
						pairs = append(pairs, byte(o))
					}
					pairs = append(pairs, byte(s))
				}
			}
			next++
		}
	}
	index = binary.LittleEndian.AppendUint32(index, uint32(next))
	rows = binary.LittleEndian.AppendUint32(rows, entries)

	meta.Features.Kept = len(kept)
	var body []byte
	for _, v := range q.bias {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
	}
	for _, v := range scale {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
	}
	var flags byte
	if q.dense {
		body = slices.Concat(body, index, rest, dense)
	} else {
		flags = flagSparse
		if wide {
			flags |= flagWide
		}
		body = slices.Concat(body, index, rest, rows, pairs)
	}
	var h []byte
	h = append(h, magic...)
	h = binary.LittleEndian.AppendUint16(h, formatVersion)
	h = binary.LittleEndian.AppendUint16(h, extractorVersion)
	h = binary.LittleEndian.AppendUint32(h, 0)
	h = binary.LittleEndian.AppendUint32(h, uint32(len(kept)))
	h = binary.LittleEndian.AppendUint32(h, entries)
	h = binary.LittleEndian.AppendUint16(h, uint16(q.k))
	h = append(h, byte(bucketBits), flags)
	h = binary.LittleEndian.AppendUint32(h, 0)
	return seal(h, meta, body)
}

// seal joins header, metadata and body, and fills in version, lengths and sum.
func seal(header []byte, meta Metadata, body []byte) ([]byte, error) {
	sum := sha256.New()
	sum.Write(body)
	sum.Write([]byte(meta.Head + "\x00" + meta.Training.Digest))
	meta.Version = hex.EncodeToString(sum.Sum(nil))[:12]
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	out := slices.Concat(header[:headerBytes:headerBytes], text, body)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(text)))
	binary.LittleEndian.PutUint32(out[24:], crc32.Checksum(out[headerBytes:], castagnoli))
	if len(out) > maxModelBytes {
		return nil, fmt.Errorf("the model would have %d bytes; the limit is %d", len(out), maxModelBytes)
	}
	return out, nil
}

// Load makes a model of its file. It checks everything that a look-up relies
// on and keeps data, which must not be changed. Errors wrap ErrCorrupt or
// ErrVersion.
func Load(data []byte) (*Model, error) {
	corrupt := func(format string, args ...any) (*Model, error) {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
	if len(data) < headerBytes || string(data[:4]) != magic {
		return corrupt("it does not begin with %q", magic)
	}
	le := binary.LittleEndian
	if v := le.Uint16(data[4:]); v != formatVersion {
		return nil, fmt.Errorf("%w: format %d, this engine reads %d", ErrVersion, v, formatVersion)
	}
	if v := le.Uint16(data[6:]); v != extractorVersion {
		return nil, fmt.Errorf("%w: made for features of version %d, this engine makes %d: train it again", ErrVersion, v, extractorVersion)
	}
	metaLen, keys, entries := int64(le.Uint32(data[8:])), int64(le.Uint32(data[12:])), int64(le.Uint32(data[16:]))
	k, bucketBits, flags := int64(le.Uint16(data[20:])), data[22], data[23]
	sparse, wide := flags&flagSparse != 0, flags&flagWide != 0
	if len(data) > maxModelBytes || keys > maxKeys || k < 1 || k > MaxLabels || bucketBits < 1 || bucketBits > 16 || flags > 3 || wide && !sparse {
		return corrupt("the header is out of bounds")
	}
	buckets := int64(1) << bucketBits
	size := headerBytes + metaLen + 8*k + 4*(buckets+1) + 2*keys
	if sparse {
		size += 4*(keys+1) + entries*2
		if wide {
			size += entries
		}
	} else {
		size += keys * k
	}
	if size != int64(len(data)) {
		return corrupt("it has %d bytes, the header says %d", len(data), size)
	}
	if crc32.Checksum(data[headerBytes:], castagnoli) != le.Uint32(data[24:]) {
		return corrupt("the checksum is wrong")
	}
	m := &Model{raw: data, k: int(k), shift: uint(32 - bucketBits), wide: wide, scope: -1}
	rest := data[headerBytes:]
	take := func(n int64) []byte {
		part := rest[:n:n]
		rest = rest[n:]
		return part
	}
	dec := json.NewDecoder(bytes.NewReader(take(metaLen)))
	if err := dec.Decode(&m.meta); err != nil {
		return corrupt("metadata: %v", err)
	}
	floats := func() ([]float32, bool) {
		out := make([]float32, k)
		b := take(4 * k)
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(b[i*4:]))
			if math.IsNaN(float64(out[i])) || math.IsInf(float64(out[i]), 0) {
				return nil, false
			}
		}
		return out, true
	}
	var ok1, ok2 bool
	m.bias, ok1 = floats()
	m.scale, ok2 = floats()
	if !ok1 || !ok2 {
		return corrupt("a number is not finite")
	}
	m.index = take(4 * (buckets + 1))
	if !ascending(m.index, uint32(keys)) {
		return corrupt("the index of keys is not in order")
	}
	m.rest = take(2 * keys)
	if sparse {
		m.rows = take(4 * (keys + 1))
		if !ascending(m.rows, uint32(entries)) {
			return corrupt("the index of entries is not in order")
		}
		width := int64(2)
		if wide {
			width = 3
		}
		m.entries = take(width * entries)
		for e := range entries {
			o := int64(m.entries[e*width])
			if wide {
				o |= int64(m.entries[e*width+1]) << 8
			}
			if o >= k {
				return corrupt("entry %d names output %d of %d", e, o, k)
			}
		}
	} else {
		m.dense = take(keys * k)
	}
	if problem := m.prepare(); problem != "" {
		return corrupt("metadata: %s", problem)
	}
	return m, nil
}

// ascending says that the numbers in b begin with 0, never fall and end with
// last.
func ascending(b []byte, last uint32) bool {
	before := uint32(0)
	for i := 0; i < len(b); i += 4 {
		v := binary.LittleEndian.Uint32(b[i:])
		if v < before || i == 0 && v != 0 {
			return false
		}
		before = v
	}
	return before == last
}

// prepare checks the metadata and derives from it what a call needs. It
// returns what is wrong, or "".
func (m *Model) prepare() string {
	meta := &m.meta
	c := &meta.Calibration
	finite := func(vs ...float64) bool {
		return !slices.ContainsFunc(vs, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	}
	switch {
	case meta.Head == "":
		return "there is no head"
	case len(meta.Labels) != m.k:
		return fmt.Sprintf("%d labels for %d outputs", len(meta.Labels), m.k)
	case !finite(c.Scope...) || !finite(c.Slopes...) || !finite(c.Offsets...):
		return "the calibration is not finite"
	case len(c.Scope) != 0 && len(c.Scope) != 2:
		return "the calibration of scope has a wrong length"
	}
	switch meta.Kind {
	case KindLabel:
		if !(c.Temperature > 0) {
			return "the temperature is not positive"
		}
		if meta.Features.Grouped && !(c.Alone > 0) {
			return "the temperature for unknown groups is not positive"
		}
	case KindRouting:
		if m.k != routingOutputs && m.k != probabilityOutputs || len(c.Slopes) != probabilityOutputs || len(c.Offsets) != probabilityOutputs {
			return "a routing head has other outputs"
		}
		if c.Need == nil || !c.Need.Options.finite() || !c.Need.Open.finite() {
			return "a routing head lacks the rules for its need"
		}
	default:
		return fmt.Sprintf("unknown kind %q", meta.Kind)
	}
	if len(meta.Features.Views) > maxViews || len(meta.Features.Views) > 0 && !meta.Features.Grouped {
		return "the views are too many, or there are no groups"
	}
	for _, v := range meta.Features.Views {
		if v.Bytes < 1 || v.Bytes > maxBody {
			return "a view's length is out of bounds"
		}
	}
	if meta.Features.Pieces < 0 {
		return "the number of pieces is negative"
	}
	if meta.Features.Window != 0 {
		risk, ok := riskLabel(meta.Labels)
		if !ok || m.dense == nil || meta.Kind != KindLabel || meta.Features.Window < leastWindow || meta.Features.Window > mostWindow || len(meta.Features.Families) != 0 || meta.Features.Grouped {
			return "the windows are of another kind"
		}
		m.windowed, m.risk = true, slices.Index(meta.Labels, risk)
		m.sieve = newSieve(m)
		return ""
	}
	if len(meta.Features.Families) != len(meta.Features.Weights) || len(meta.Features.Families) == 0 {
		return "families and their weights do not agree"
	}
	for i, name := range meta.Features.Families {
		f := Family(slices.Index(familyNames[:], name))
		w := float32(meta.Features.Weights[i])
		if f >= familyCount || !(w > 0 && w < 1e6) {
			return fmt.Sprintf("unknown family %q, or its weight is out of bounds", name)
		}
		m.scaling.families |= familySet(f)
		m.scaling.weight[f] = w
	}
	m.scaling.grouped, m.scaling.pieces = meta.Features.Grouped, meta.Features.Pieces
	if m.scaling.grouped {
		m.groups = make(map[uint64]bool, len(meta.Groups))
		for _, g := range meta.Groups {
			m.groups[groupHash(g)] = true
		}
	}
	if meta.OutOfScope != "" {
		m.scope = slices.Index(meta.Labels, meta.OutOfScope)
		if m.k < 2 {
			m.scope = -1
		}
	}
	return ""
}

// withCalibration returns a copy of the model with other calibration and
// validation figures.
func (m *Model) withCalibration(c Calibration, v Validation) (*Model, error) {
	meta := m.meta
	meta.Calibration, meta.Validation = c, v
	metaLen := binary.LittleEndian.Uint32(m.raw[8:])
	data, err := seal(m.raw[:headerBytes], meta, m.raw[headerBytes+int(metaLen):])
	if err != nil {
		return nil, err
	}
	return Load(data)
}

// prune zeroes the weights that matter least, until at most maxBytes of keys
// and entries are left, and drops keys without weights. rows is how many rows
// had each key. It says whether anything was lost.
func (q *weights) prune(rows []int32, maxBytes int) bool {
	const keyBytes, entryBytes = 8, 2
	if q.dense {
		limit := max(maxBytes/(keyBytes-2+q.k), 1)
		if len(q.keys) > limit {
			q.keep(topKeys(q, rows, limit))
			return true
		}
		return false
	}
	matter := func(i int) float32 { return q.w[i] * q.w[i] * float32(rows[i/q.k]) }
	var present []float32
	for i, v := range q.w {
		if v != 0 {
			present = append(present, matter(i))
		}
	}
	// Halve the interval of the least importance that may stay.
	slices.Sort(present)
	lo, hi := 0, len(present)
	for lo < hi {
		mid := (lo + hi) / 2
		var keys, entries int
		for i := 0; i < len(q.w); i += q.k {
			before := entries
			for o := range q.k {
				if q.w[i+o] != 0 && matter(i+o) >= present[mid] {
					entries++
				}
			}
			if entries > before {
				keys++
			}
		}
		if keys*keyBytes+entries*entryBytes > maxBytes {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	least := float32(math.Inf(1))
	if lo < len(present) {
		least = present[lo]
	}
	var kept []int
	for i := 0; i < len(q.w); i += q.k {
		some := false
		for o := range q.k {
			if q.w[i+o] == 0 || matter(i+o) < least {
				q.w[i+o] = 0
			} else {
				some = true
			}
		}
		if some {
			kept = append(kept, i/q.k)
		}
	}
	q.keep(kept)
	return lo > 0
}

// topKeys are the places of the keys that matter most, ascending.
func topKeys(q *weights, rows []int32, limit int) []int {
	matter := make([]float64, len(q.keys))
	order := make([]int, len(q.keys))
	for i := range q.keys {
		order[i] = i
		for _, v := range q.w[i*q.k : (i+1)*q.k] {
			matter[i] += float64(v) * float64(v)
		}
		matter[i] *= float64(rows[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(matter[b], matter[a]) })
	kept := order[:limit]
	slices.Sort(kept)
	return kept
}

// keep drops every key that is not in kept (ascending).
func (q *weights) keep(kept []int) {
	for to, from := range kept {
		q.keys[to] = q.keys[from]
		copy(q.w[to*q.k:(to+1)*q.k], q.w[from*q.k:(from+1)*q.k])
	}
	q.keys = q.keys[:len(kept)]
	q.w = q.w[:len(kept)*q.k]
}
