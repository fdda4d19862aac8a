//go:build !linux

package journal

// flusher only rings: no flush is asynchronous here.
type flusher struct{ rings chan struct{} }

func newFlusher() *flusher { return &flusher{rings: make(chan struct{}, 1)} }

func (*flusher) close() {}

// ring makes wait return.
func (f *flusher) ring() {
	select {
	case f.rings <- struct{}{}:
	default:
	}
}

// wait returns after a ring.
func (f *flusher) wait() { <-f.rings }

// asynchronous says whether submit may be hoped to work.
func (*flusher) asynchronous() bool { return false }

// submit begins the flush of a file's data. False means that it cannot: the
// caller is to call flush.
func (*flusher) submit(file) bool { return false }

// landed says whether the flush that was submitted is over, and how.
func (*flusher) landed() (bool, error) { return false, nil }

// flush brings a file's data to the disk and waits.
func flush(f file) error { return f.(interface{ Sync() error }).Sync() }
