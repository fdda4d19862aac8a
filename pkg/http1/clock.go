package http1

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock words the time of answers, once a second.
type clock struct{ told atomic.Pointer[told] }

type told struct {
	second int64
	text   string
}

func (c *clock) now() string {
	now := time.Now()
	t := c.told.Load()
	if t == nil || t.second != now.Unix() {
		t = &told{now.Unix(), now.UTC().Format(http.TimeFormat)}
		c.told.Store(t)
	}
	return t.text
}
