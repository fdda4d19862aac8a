package session

import (
	"context"
	"iter"

	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/gptmesh/gptmesh/services/session/internal/window"
)

// Records are read in chunks that grow, so that whoever needs few reads few and
// whoever needs many asks seldom.
const (
	firstChunk = 32
	lastChunk  = 1024
)

// records reads the messages of a query, its Limit aside, as far as the
// reader goes.
func (s *Service) records(ctx context.Context, query store.MessageQuery) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		for query.Limit = firstChunk; ; query.Limit = min(query.Limit*4, lastChunk) {
			list, err := s.store.Messages(ctx, query)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, record := range list {
				if !yield(record, nil) {
					return
				}
			}
			if len(list) < query.Limit {
				return
			}
			last := list[len(list)-1].Position
			if query.NewestFirst {
				query.Before = last
			} else {
				query.After = last
			}
		}
	}
}

// entries is records for a context.
func (s *Service) entries(ctx context.Context, query store.MessageQuery) iter.Seq2[window.Entry, error] {
	return func(yield func(window.Entry, error) bool) {
		for record, err := range s.records(ctx, query) {
			if err != nil {
				yield(window.Entry{}, err)
				return
			}
			m, err := message.Decode(record)
			if !yield(window.Entry{Message: m, Tokens: record.Tokens}, err) || err != nil {
				return
			}
		}
	}
}
