//go:build unix

package gate

import (
	"os"
	"syscall"
	"time"
)

// poller is a pipe: what is written to it is read when the runtime's poller looks
// at all sockets, which it does when nothing is left to run.
type poller struct {
	from, to *os.File
	raw      syscall.RawConn
	asked    bool
	ready    func(fd uintptr) bool
}

func (p *poller) open() (err error) {
	if p.from, p.to, err = os.Pipe(); err != nil {
		return err
	}
	if p.raw, err = p.from.SyscallConn(); err != nil {
		p.close()
		return err
	}
	p.ready = p.pass
	return nil
}

// round returns true when the poller has looked at the pipe, or false after so long.
func (p *poller) round(longest time.Duration) bool {
	p.asked = false
	_ = p.from.SetReadDeadline(time.Now().Add(longest))
	if p.raw.Read(p.ready) == nil {
		return true
	}
	// What was written is there still, and must not end the next round at once.
	_ = p.from.SetReadDeadline(time.Time{})
	_ = p.raw.Read(take)
	return false
}

// pass writes when it is called first, so that the read has to wait, and reads then.
func (p *poller) pass(fd uintptr) bool {
	if p.asked {
		return take(fd)
	}
	p.asked = true
	_, err := p.to.Write([]byte{0})
	return err != nil
}

func take(fd uintptr) bool {
	var one [1]byte
	_, _ = syscall.Read(int(fd), one[:])
	return true
}

func (p *poller) close() {
	_ = p.from.Close()
	_ = p.to.Close()
}
