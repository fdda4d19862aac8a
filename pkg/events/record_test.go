package events_test

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gptmesh/gptmesh/pkg/events"
	"google.golang.org/protobuf/proto"
)

// readRecord returns the events of a record, in order.
func readRecord(record []byte) ([]*events.Event, error) {
	record, err := events.Unpack(record)
	if err != nil {
		return nil, err
	}
	var list []*events.Event
	for len(record) > 0 {
		size, n := binary.Uvarint(record)
		if n <= 0 || uint64(len(record)-n) < size {
			return list, errors.New("cut short")
		}
		event := new(events.Event)
		if err := proto.Unmarshal(record[n:n+int(size)], event); err != nil {
			return list, fmt.Errorf("a record: %w", err)
		}
		list, record = append(list, event), record[n+int(size):]
	}
	return list, nil
}
