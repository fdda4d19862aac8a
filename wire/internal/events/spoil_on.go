//go:build meshclone || race

package events

// spoils says that memory that was lent is spoiled and not lent again.
const spoils = true

// spoil spoils events that were lent: who uses them later is found out.
func spoil(list []text) {
	for i := range list {
		list[i].delta.Choice, list[i].delta.Text = -1, "text that was lent"
	}
}
