package jsonbody

// Shape follows a JSON object that comes in pieces to its end.
type Shape struct {
	depth           int
	begun           bool
	quoted, escaped bool
}

// Follow takes the next piece.
func (s *Shape) Follow(json string) {
	for i := range len(json) {
		switch c := json[i]; {
		case s.escaped:
			s.escaped = false
		case s.quoted:
			s.escaped = c == '\\'
			s.quoted = c != '"'
		case c == '"':
			s.quoted = true
		case c == '{', c == '[':
			s.depth++
			s.begun = true
		case c == '}', c == ']':
			s.depth--
		}
	}
}

// Begun tells whether the object has begun.
func (s *Shape) Begun() bool { return s.begun }

// Whole tells whether the object has ended.
func (s *Shape) Whole() bool { return s.begun && s.depth <= 0 && !s.quoted }
