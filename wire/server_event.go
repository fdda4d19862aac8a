package wire

import "bytes"

// ServerEvent is a view of one server-sent event. All slices are borrowed from
// the data it was found in.
type ServerEvent struct {
	// Raw is the whole event with the blank line that ends it.
	Raw []byte
	// Name is the last event field, or nil.
	Name []byte
	// Data holds the data lines joined by "\n"; nil where there are none: a
	// comment, or blank lines alone.
	Data []byte
}

// NextServerEvent cuts the first event off data, which holds whole events as
// RawChunk.data does. A last event without its blank line counts as whole. It
// allocates only for events of several data lines. Call it while data is not
// empty. To read events from a connection, use package eventstream.
func NextServerEvent(data []byte) (event ServerEvent, rest []byte) {
	// What every server sends: one line of data, some with a name before it.
	at := data
	if name, rest, ok := plainField(data, "event:"); ok {
		event.Name, at = name, rest
	}
	if value, rest, ok := plainField(at, "data:"); ok {
		n := blank(rest)
		if n > 0 {
			size := len(data) - len(rest) + n
			event.Raw, event.Data = data[:size:size], value
			return event, data[size:]
		}
	}
	return nextServerEvent(data)
}

// plainField reads the line at the beginning of data where it is that of a field and a
// line feed ends it.
func plainField(data []byte, field string) (value, rest []byte, ok bool) {
	if len(data) <= len(field) || string(data[:len(field)]) != field {
		return nil, nil, false
	}
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		return nil, nil, false
	}
	rest = data[end+1:]
	if data[end-1] == '\r' {
		end--
	}
	value = data[len(field):end:end]
	if bytes.IndexByte(value, '\r') >= 0 {
		return nil, nil, false
	}
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return value, rest, true
}

// blank is the size of the empty line at the beginning of data; 0 where there is none.
func blank(data []byte) int {
	switch {
	case len(data) > 0 && data[0] == '\n':
		return 1
	case len(data) > 1 && data[0] == '\r' && data[1] == '\n':
		return 2
	}
	return 0
}

func nextServerEvent(data []byte) (event ServerEvent, rest []byte) {
	var joined []byte
	at := 0
	for at < len(data) {
		end, next := lineEnd(data, at)
		line := data[at:end:end]
		at = next
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
		switch string(name) {
		case "event":
			event.Name = value
		case "data":
			switch {
			case event.Data == nil:
				event.Data = value[:len(value):len(value)]
				if event.Data == nil {
					event.Data = data[end:end:end]
				}
				continue
			case joined == nil:
				joined = append(joined, event.Data...)
			}
			joined = append(append(joined, '\n'), value...)
			event.Data = joined
		}
	}
	event.Raw = data[:at:at]
	return event, data[at:]
}

// lineEnd finds the end of the line at from, and what follows it.
func lineEnd(data []byte, from int) (end, next int) {
	n := bytes.IndexAny(data[from:], "\r\n")
	if n < 0 {
		return len(data), len(data)
	}
	end = from + n
	if data[end] == '\r' && end+1 < len(data) && data[end+1] == '\n' {
		return end, end + 2
	}
	return end, end + 1
}
