package upstream

import (
	"sync"
	"time"
)

// pool keeps unused connections, newest first. Expired ones are closed by a timer that runs while there are any.
type pool struct {
	perHost int
	timeout time.Duration

	mu     sync.Mutex
	idle   map[string][]*conn // oldest first
	timer  *time.Timer
	closed bool
}

// get takes the newest connection, or nil. Whoever writes to it looks shortly before whether it is fit for use.
func (p *pool) get(key string) *conn {
	for {
		p.mu.Lock()
		list := p.idle[key]
		if len(list) == 0 {
			p.mu.Unlock()
			return nil
		}
		cn := list[len(list)-1]
		list[len(list)-1] = nil
		p.idle[key] = list[:len(list)-1]
		p.mu.Unlock()
		if time.Since(cn.idleFrom) < p.timeout {
			return cn
		}
		cn.close()
	}
}

// put keeps a connection, or closes it when the pool is closed. A full pool gives up its oldest.
func (p *pool) put(cn *conn) {
	cn.idleFrom = time.Now()
	p.mu.Lock()
	if p.closed || p.perHost <= 0 {
		p.mu.Unlock()
		cn.shut()
		return
	}
	list := p.idle[cn.key]
	var oldest *conn
	if len(list) >= p.perHost {
		oldest = list[0]
		copy(list, list[1:])
		list = list[:len(list)-1]
	}
	p.idle[cn.key] = append(list, cn)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.timeout, p.sweep)
	}
	p.mu.Unlock()
	if oldest != nil {
		oldest.shut()
	}
}

// sweep closes what has expired and comes again while anything is left.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	next := time.Duration(-1)
	for key, list := range p.idle {
		n := 0
		for n < len(list) && now.Sub(list[n].idleFrom) >= p.timeout {
			list[n].close()
			n++
		}
		if n == len(list) {
			delete(p.idle, key)
			continue
		}
		kept := copy(list, list[n:])
		clear(list[kept:])
		p.idle[key] = list[:kept]
		if left := p.timeout - now.Sub(list[0].idleFrom); next < 0 || left < next {
			next = left
		}
	}
	if next < 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(next)
}

// close closes all unused connections, and those that are put later.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	for _, list := range idle {
		for _, cn := range list {
			cn.shut()
		}
	}
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
