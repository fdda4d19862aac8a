package embedded

import (
	"context"
	"time"
)

// segment is one row of a log: the records of one commit.
type segment struct {
	seq    int64
	micros int64
	record []byte
}

// log is one numbered table of records. It is safe for concurrent use.
type log struct {
	name  string
	db    database
	table string
	// room is the word that the types of its events begin with; empty where it
	// holds others.
	room string
}

// read returns at most limit segments from seq on, in order.
func (l *log) read(ctx context.Context, from int64, limit int) (list []segment, err error) {
	err = l.db.query(ctx, func(scan func(...any) error) error {
		var s segment
		if err := scan(&s.seq, &s.micros, &s.record); err != nil {
			return err
		}
		list = append(list, s)
		return nil
	}, "select seq, micros, record from "+l.table+" where seq >= ? order by seq limit ? + 0", from, int64(limit)) // see sqlite.DB.Query
	return list, err
}

// bounds are the numbers of the first and last segment; 0 where there is none.
func (l *log) bounds(ctx context.Context) (first, last int64, err error) {
	err = l.db.query(ctx, func(scan func(...any) error) error { return scan(&first, &last) },
		"select coalesce((select min(seq) from "+l.table+"), 0), coalesce((select max(seq) from "+l.table+"), 0)")
	return first, last, err
}

// at is the number of the first segment written at or after t, or the one
// behind the last.
func (l *log) at(ctx context.Context, t time.Time) (seq int64, err error) {
	err = l.db.query(ctx, func(scan func(...any) error) error { return scan(&seq) },
		"select coalesce((select min(seq) from "+l.table+" where micros >= ?), (select max(seq) from "+l.table+") + 1, 0)", t.UnixMicro())
	return seq, err
}

// trimBatch is how many segments are removed at a time, so that writers do not
// wait long.
const trimBatch = 500

// trim removes segments written before t and below seq, but for the last: on
// SQLite it holds the numbers.
func (l *log) trim(ctx context.Context, t time.Time, below int64) (removed int64, err error) {
	for {
		var old []int64
		young := false
		rows := 0
		err := l.db.query(ctx, func(scan func(...any) error) error {
			var seq, micros int64
			if err := scan(&seq, &micros); err != nil {
				return err
			}
			rows++
			if young = young || micros >= t.UnixMicro() || seq >= below; !young {
				old = append(old, seq)
			}
			return nil
		}, "select seq, micros from "+l.table+" order by seq limit ?", int64(trimBatch+1))
		if err != nil {
			return removed, err
		}
		n := min(len(old), rows-1)
		if n <= 0 {
			return removed, nil
		}
		changed, err := l.db.exec(ctx, "delete from "+l.table+" where seq <= ?", old[n-1])
		if removed += changed; err != nil || n < trimBatch {
			return removed, err
		}
	}
}
