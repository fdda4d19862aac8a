package upstream

// Bounds on what a chunked body may hold besides data.
const (
	maxChunkLine = 4 << 10
	maxTrailer   = 64 << 10
)

// The states of a dechunker: what the next byte belongs to.
const (
	chunkSize = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart
	trailerLine
	trailerLF
	chunkedEndLF
	chunkedDone
)

// dechunker takes the chunked coding off a body that comes in pieces of any size. Extensions and trailer fields are
// passed over.
type dechunker struct {
	state  int
	left   uint64 // of the chunk's data; while its size is read, the size so far
	digits int
	extra  int // bytes of the extension, or of the trailer, so far
}

// next decodes from src into dst until src is used up, dst is full in the midst of data, or the body has ended.
func (d *dechunker) next(dst, src []byte) (n, used int, err error) {
	for used < len(src) && d.state != chunkedDone {
		if d.state == chunkData {
			m := min(uint64(len(dst)-n), uint64(len(src)-used), d.left)
			if m == 0 {
				return n, used, nil
			}
			copy(dst[n:], src[used:used+int(m)])
			n, used = n+int(m), used+int(m)
			if d.left -= m; d.left == 0 {
				d.state = chunkDataCR
			}
			continue
		}
		if err := d.frame(src[used]); err != nil {
			return n, used, err
		}
		used++
	}
	return n, used, nil
}

// frame takes one byte that is not data.
func (d *dechunker) frame(c byte) error {
	switch d.state {
	case chunkSize:
		return d.size(c)
	case chunkExtension:
		if d.extra++; d.extra > maxChunkLine {
			return malformed("chunk extension too long")
		}
		if c == '\n' {
			return malformed("chunk extension")
		}
		if c == '\r' {
			d.state = chunkSizeLF
		}
		return nil
	case chunkSizeLF:
		if d.extra = 0; d.left == 0 {
			return d.expect(c, '\n', trailerStart)
		}
		return d.expect(c, '\n', chunkData)
	case chunkDataCR:
		return d.expect(c, '\r', chunkDataLF)
	case chunkDataLF:
		d.digits = 0
		return d.expect(c, '\n', chunkSize)
	case trailerStart:
		if c == '\r' {
			d.state = chunkedEndLF
			return nil
		}
		d.state = trailerLine
		fallthrough
	case trailerLine:
		if d.extra++; d.extra > maxTrailer {
			return malformed("trailer too long")
		}
		if c == '\n' {
			return malformed("trailer")
		}
		if c == '\r' {
			d.state = trailerLF
		}
		return nil
	case trailerLF:
		return d.expect(c, '\n', trailerStart)
	default:
		return d.expect(c, '\n', chunkedDone)
	}
}

func (d *dechunker) expect(c, want byte, next int) error {
	if c != want {
		return malformed("chunk framing")
	}
	d.state = next
	return nil
}

func (d *dechunker) size(c byte) error {
	var v byte
	switch {
	case '0' <= c && c <= '9':
		v = c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		v = (c | 0x20) - 'a' + 10
	case d.digits == 0:
		return malformed("chunk size")
	case c == '\r':
		d.state = chunkSizeLF
		return nil
	case c == ';' || c == ' ' || c == '\t':
		d.state = chunkExtension
		return nil
	default:
		return malformed("chunk size")
	}
	if d.digits++; d.digits > 15 {
		return malformed("chunk size too large")
	}
	if d.digits == 1 {
		d.left = 0
	}
	d.left = d.left<<4 | uint64(v)
	return nil
}
