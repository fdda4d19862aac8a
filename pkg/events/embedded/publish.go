package embedded

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

// Publish implements events.Broker: the events are committed to the log, all or
// none. One whose owner published its id before is passed over, as far back as
// Config.Retention.
func (b *Broker) Publish(ctx context.Context, list []*events.Event) (taken int, err error) {
	now := time.Now().UnixMicro()
	err = b.db.write(ctx, func(exec func(string, ...any) (int64, error)) ([]byte, error) {
		var record []byte
		for _, event := range list {
			changed, err := exec(`insert into published (owner, id, micros) values (?, ?, ?) on conflict (owner, id) do nothing`,
				event.GetOwner(), event.GetId(), now)
			if err != nil {
				return nil, err
			}
			if changed > 0 {
				record = events.AppendRecord(record, event)
			}
		}
		return record, nil
	})
	if err != nil {
		return 0, err
	}
	return len(list), nil
}
