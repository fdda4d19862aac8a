package eventstream

// AppendEvent appends one server-sent event to dst: an event line unless name is empty, data lines, a blank line. Data
// is split at LF, CRLF and CR, one data line each, so no content can end the event early or begin another field; a
// reader joins them with LF. Nothing else is changed: U+2028 and U+2029 are no line ends in this format. A line end in
// name becomes a space.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = appendField(dst, "event: ", name)
	}
	var ends lineEnds
	from := 0
	for {
		end := ends.find(data, from)
		dst = append(append(dst, "data: "...), data[from:end]...)
		dst = append(dst, '\n')
		if end == len(data) {
			return append(dst, '\n')
		}
		from = behind(data, end)
	}
}

// AppendID appends the id line of the event that is appended next. A line end or a NUL in id becomes a space.
func AppendID(dst []byte, id string) []byte { return appendField(dst, "id: ", id) }

func appendField(dst []byte, field, value string) []byte {
	dst = append(dst, field...)
	from := len(dst)
	dst = append(dst, value...)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' || c == 0 {
			dst[from+i] = ' '
		}
	}
	return append(dst, '\n')
}
