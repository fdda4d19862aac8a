package store

import (
	"context"
	"math"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/proto"
)

// AddFeedback stores feedback and, where sample is not nil, the sample that was
// made of it, both or none. ErrExists where the owner has feedback of this id;
// nothing is stored then. ErrTooManyHeads where its head is new and there are heads
// already: heads with feedback or versions.
func (s *Store) AddFeedback(ctx context.Context, f *classifierv1.Feedback, sample *Sample, heads int) error {
	body, err := encode(f)
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx Tx) error {
		if err := admit(ctx, tx, f.GetHead(), heads); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `insert into classification_feedback (owner, id, head, create_micros, body)
			values (?, ?, ?, ?, ?) on conflict do nothing`, f.GetOwner(), f.GetId(), f.GetHead(), micros(f.GetCreateTime()), body)
		switch {
		case err != nil:
			return err
		case n == 0:
			return ErrExists
		case sample == nil:
			return nil
		}
		_, err = add(ctx, tx, sample)
		return err
	})
}

// Feedback returns the owner's feedback of this id.
func (s *Store) Feedback(ctx context.Context, owner, id string) (*classifierv1.Feedback, error) {
	var body []byte
	if err := one(ctx, s.db, `select body from classification_feedback where owner = ? and id = ?`, []any{owner, id}, &body); err != nil {
		return nil, s.db.Known(err)
	}
	f := &classifierv1.Feedback{}
	return f, proto.Unmarshal(body, f)
}

// Judged looks at the newest limit feedback of a head at or after a time, and
// returns how many speak of a prediction, and of how many of them it was the
// right label.
func (s *Store) Judged(ctx context.Context, head string, since time.Time, limit int) (judged, right int, err error) {
	var from int64 // the zero time has no microseconds of its own
	if !since.IsZero() {
		from = since.UnixMicro()
	}
	list, err := all(ctx, s.db, `select body from classification_feedback where head = ? and create_micros >= ?
		order by create_micros desc limit ?`, []any{head, from, int64(limit)}, func(r Rows) (*classifierv1.Feedback, error) {
		var body []byte
		if err := r.Scan(&body); err != nil {
			return nil, err
		}
		f := &classifierv1.Feedback{}
		return f, proto.Unmarshal(body, f)
	})
	for _, f := range list {
		if f.GetPredicted() == "" {
			continue
		}
		judged++
		if f.GetPredicted() == f.GetLabel() {
			right++
		}
	}
	return judged, right, s.db.Known(err)
}

// AddSamples stores samples, all or none, but passes over those whose head has
// one of the same source already. It returns how many were stored.
func (s *Store) AddSamples(ctx context.Context, list []*Sample) (added int, err error) {
	err = s.write(ctx, func(ctx context.Context, tx Tx) error {
		added = 0
		for _, sample := range list {
			n, err := add(ctx, tx, sample)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	return added, err
}

func add(ctx context.Context, tx Tx, s *Sample) (int, error) {
	n, err := tx.Exec(ctx, `insert into training_samples (id, head, owner, text, group_name, label, origin, source_id, create_micros)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`, s.GetId(), s.GetHead(), s.Owner, s.GetText(), s.GetGroup(),
		s.GetLabel(), int64(s.GetOrigin()), s.GetSourceId(), micros(s.GetCreateTime()))
	return int(n), err
}

// Samples returns samples, newest first; those stored at the same time by
// descending id.
func (s *Store) Samples(ctx context.Context, q SampleQuery) ([]*Sample, error) {
	query := `select id, head, owner, text, group_name, label, origin, source_id, create_micros from training_samples where create_micros <= ?`
	at := int64(math.MaxInt64)
	if q.Before != nil {
		at = micros(q.Before.GetCreateTime())
	}
	args := []any{at}
	for _, filter := range []struct{ column, value string }{{"owner", q.Owner}, {"head", q.Head}, {"source_id", q.SourceID}} {
		if filter.value != "" {
			query += ` and ` + filter.column + ` = ?`
			args = append(args, filter.value)
		}
	}
	if q.Before != nil {
		query += ` and (create_micros < ? or id < ?)`
		args = append(args, at, q.Before.GetId())
	}
	query += ` order by create_micros desc, id desc limit ?`
	list, err := all(ctx, s.db, query, append(args, int64(q.Limit)), func(r Rows) (*Sample, error) {
		sample := &Sample{TrainingSample: &classifierv1.TrainingSample{}}
		var origin, created int64
		err := r.Scan(&sample.Id, &sample.Head, &sample.Owner, &sample.Text, &sample.Group, &sample.Label, &origin, &sample.SourceId, &created)
		sample.Origin, sample.CreateTime = classifierv1.SampleOrigin(origin), stamp(created)
		return sample, err
	})
	return list, s.db.Known(err)
}

// Counts returns, for every head with samples or feedback, how many there are,
// by head.
func (s *Store) Counts(ctx context.Context) ([]HeadCount, error) {
	type row struct {
		head, label       string
		samples, feedback int64
	}
	list, err := all(ctx, s.db, `select head, label, count(*), 0 from training_samples group by head, label
		union all select head, '', 0, count(*) from classification_feedback group by head order by 1, 2`, nil,
		func(r Rows) (v row, err error) {
			return v, r.Scan(&v.head, &v.label, &v.samples, &v.feedback)
		})
	if err != nil {
		return nil, s.db.Known(err)
	}
	var counts []HeadCount
	for _, v := range list {
		if len(counts) == 0 || counts[len(counts)-1].Head != v.head {
			counts = append(counts, HeadCount{Head: v.head})
		}
		c := &counts[len(counts)-1]
		c.Samples += v.samples
		c.Feedback += v.feedback
		if v.samples > 0 {
			c.Labels = append(c.Labels, &classifierv1.LabelCount{Label: v.label, Count: v.samples})
		}
	}
	return counts, nil
}

// CountSince returns how many samples of a head were stored at or after a time.
func (s *Store) CountSince(ctx context.Context, head string, since time.Time) (n int64, err error) {
	err = one(ctx, s.db, `select count(*) from training_samples where head = ? and create_micros >= ?`, []any{head, since.UnixMicro()}, &n)
	return n, s.db.Known(err)
}

// TrimSamples deletes all samples of a head but the newest keep, and returns how
// many it deleted.
func (s *Store) TrimSamples(ctx context.Context, head string, keep int) (n int64, err error) {
	return s.trim(ctx, `delete from training_samples where head = ? and (create_micros, id) <=
		(select create_micros, id from training_samples where head = ? order by create_micros desc, id desc limit 1 offset ?)`, head, keep)
}

// TrimFeedback deletes all feedback of a head but the newest keep, and returns
// how many it deleted. Samples that were made of it stay.
func (s *Store) TrimFeedback(ctx context.Context, head string, keep int) (n int64, err error) {
	return s.trim(ctx, `delete from classification_feedback where head = ? and (create_micros, owner, id) <=
		(select create_micros, owner, id from classification_feedback where head = ? order by create_micros desc, owner desc, id desc limit 1 offset ?)`,
		head, keep)
}

func (s *Store) trim(ctx context.Context, query, head string, keep int) (n int64, err error) {
	err = s.write(ctx, func(ctx context.Context, tx Tx) error {
		n, err = tx.Exec(ctx, query, head, head, int64(keep))
		return err
	})
	return n, err
}
