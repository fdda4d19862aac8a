package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gptmesh/gptmesh/pkg/datadir"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/migrate"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/gpt"
	"github.com/gptmesh/gptmesh/services/request"
	"github.com/gptmesh/gptmesh/services/response"
	"github.com/gptmesh/gptmesh/services/session"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Bring every store to this version."`
	Status migrateStatus `cmd:"" help:"Show which migrations are applied."`
}

// migrateFlags say which stores.
type migrateFlags struct {
	Config string `help:"YAML file with the configuration." type:"existingfile" placeholder:"FILE"`
	Data   string `help:"Folder of the embedded stores." placeholder:"DIR"`
}

// migratable is a store that can be migrated.
type migratable interface {
	Migrate(ctx context.Context, fsys fs.FS) ([]int64, error)
	Migrations(ctx context.Context, fsys fs.FS) ([]migrate.Status, error)
}

// each opens every room's store and hands it over with its migrations. A folder
// that is not there is made if makeFolder is set; otherwise stores that are empty are
// handed over in its place.
func (f migrateFlags) each(makeFolder bool, visit func(ctx context.Context, room string, store migratable, fsys fs.FS) error) error {
	s, err := listenFlags{Config: f.Config, Data: f.Data}.settings()
	if err != nil {
		return err
	}
	if s.Database.URL == "" {
		if _, err := os.Stat(s.Data); !makeFolder && errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "there is no data directory %s yet\n", s.Data)
			if s.Data, err = os.MkdirTemp("", "gptmesh-empty-"); err != nil {
				return err
			}
			defer os.RemoveAll(s.Data)
		}
		lock, err := datadir.Acquire(s.Data)
		if err != nil {
			return err
		}
		defer lock.Release()
	}
	rooms := map[string]func() (fs.FS, fs.FS){
		"session": session.Migrations, "request": request.Migrations, "response": response.Migrations, "gpt": gpt.Migrations,
		"classifier": classifier.Migrations, "events": embedded.Migrations,
	}
	for _, room := range append([]string{"events"}, allRooms...) {
		migrations, ok := rooms[room]
		if !ok {
			continue
		}
		lite, pg := migrations()
		if err := visitStore(&s, room, lite, pg, visit); err != nil {
			return fmt.Errorf("%s: %w", room, err)
		}
	}
	return nil
}

func visitStore(s *settings, room string, lite, pg fs.FS, visit func(context.Context, string, migratable, fs.FS) error) error {
	ctx := context.Background()
	if s.Database.URL != "" {
		db, err := postgres.Open(ctx, postgres.Config{URL: s.Database.URL, Schema: room, MaxConns: 2})
		if err != nil {
			return err
		}
		defer db.Close()
		return visit(ctx, room, db, pg)
	}
	// What a killed process left in the journal goes in before the tables change.
	j, err := s.openJournal()
	if err != nil {
		return err
	}
	defer j.Close()
	db, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(s.Data, room+".db"), Journal: j, Name: room})
	if err != nil {
		return err
	}
	defer db.Close()
	return visit(ctx, room, db, lite)
}

type migrateUp struct{ migrateFlags }

// Run brings every store to this version.
func (c migrateUp) Run() error {
	return c.each(true, func(ctx context.Context, room string, store migratable, fsys fs.FS) error {
		applied, err := store.Migrate(ctx, fsys)
		if err != nil {
			return err
		}
		fmt.Printf("%-10s applied %d\n", room, len(applied))
		return nil
	})
}

type migrateStatus struct{ migrateFlags }

// Run shows which migrations are applied.
func (c migrateStatus) Run() error {
	return c.each(false, func(ctx context.Context, room string, store migratable, fsys fs.FS) error {
		list, err := store.Migrations(ctx, fsys)
		if err != nil {
			return err
		}
		for _, m := range list {
			state := "pending"
			if m.Applied {
				state = "applied " + m.AppliedAt.Format("2006-01-02 15:04:05")
			}
			fmt.Printf("%-10s %-30s %s\n", room, m.Name, state)
		}
		return nil
	})
}
