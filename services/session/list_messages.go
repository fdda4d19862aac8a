package session

import (
	"context"
	"fmt"
	"strconv"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const defaultMessagePage = 100

// ListMessages lists messages; see the contract. A page also ends with the
// message that brings it to Config.MaxPageBytes. Oldest first, a list reaches
// what is appended while it is read; newest first, it does not.
func (s *Service) ListMessages(ctx context.Context, req *sessionv1.ListMessagesRequest) (*sessionv1.ListMessagesResponse, error) {
	session, err := s.read(ctx, req.GetSessionId(), s.now())
	if err != nil {
		return nil, failedFor(req.GetSessionId(), err)
	}
	filter := fmt.Sprintf("messages/%d/%t", session.Key, req.GetNewestFirst())
	cursor, err := page.Cursor(filter, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	from := int64(0)
	if cursor != "" {
		if from, err = strconv.ParseInt(cursor, 10, 64); err != nil || from <= 0 {
			return nil, page.Invalid()
		}
	}
	query := store.MessageQuery{Key: session.Key, After: from}
	if req.GetNewestFirst() {
		query = store.MessageQuery{Key: session.Key, Before: from, NewestFirst: true}
	}
	size, bytes := page.Size(req.GetPageSize(), defaultMessagePage, maxPage), 0
	resp := &sessionv1.ListMessagesResponse{}
	for record, err := range s.records(ctx, query) {
		if err != nil {
			return nil, failed(err)
		}
		if len(resp.GetMessages()) == size || bytes >= s.cfg.MaxPageBytes {
			resp.NextPageToken = page.Token(filter, strconv.FormatInt(from, 10))
			break
		}
		m, err := message.Decode(record)
		if err != nil {
			return nil, failed(err)
		}
		resp.Messages = append(resp.Messages, m)
		from, bytes = record.Position, bytes+len(record.Body)
	}
	return resp, nil
}
