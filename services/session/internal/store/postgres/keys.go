package postgres

import (
	"context"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/jackc/pgx/v5"
)

// keyBlock is how many keys are taken at a time.
const keyBlock = 64

// keys are of sessions to come: no other process gives them. Those that are left when
// the process ends are given by nobody. It is safe for concurrent use.
type keys struct {
	db *postgres.DB

	mu   sync.Mutex
	free []int64
}

func (k *keys) next(ctx context.Context) (int64, error) {
	if key := k.take(); key != 0 {
		return key, nil
	}
	rows, err := k.db.Pool().Query(ctx, `select nextval(pg_get_serial_sequence('sessions', 'session_key')) from generate_series(1, $1)`, keyBlock)
	if err != nil {
		return 0, err
	}
	block, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.free = append(k.free, block[1:]...)
	return block[0], nil
}

// take returns a key that is there, 0 for none.
func (k *keys) take() (key int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.free) > 0 {
		key, k.free = k.free[0], k.free[1:]
	}
	return key
}
