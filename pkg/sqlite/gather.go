package sqlite

// gathering holds back the statements of a commit that have a Key.
type gathering struct {
	list  []*gathered
	index map[likeness]*gathered
	done  []func(bool) // of those that were made now
}

type likeness struct{ query, key string }

// gathered are statements that are run as few.
type gathered struct {
	stmt Stmt // the first, without arguments
	args [][]any
}

// add takes a statement; false for one that is to be run in its place.
func (g *gathering) add(stmt Stmt) bool {
	if stmt.Key == "" {
		return false
	}
	like := likeness{stmt.Query, stmt.Key}
	if found := g.index[like]; found != nil {
		if stmt.Join == nil {
			found.args[0] = stmt.Args
		} else {
			found.args = append(found.args, stmt.Args)
		}
		return true
	}
	if g.index == nil {
		g.index = map[likeness]*gathered{}
	}
	one := &gathered{stmt: stmt, args: [][]any{stmt.Args}}
	one.stmt.Args = nil
	g.list, g.index[like] = append(g.list, one), one
	return true
}

// joined are the statements to be run in the place of those that were gathered.
func (g *gathering) joined() stmts {
	var out stmts
	for _, one := range g.list {
		if one.stmt.Now != nil {
			list, done := one.stmt.Now()
			out, g.done = append(out, list...), append(g.done, done)
			continue
		}
		if len(one.args) > 1 {
			one.args = one.stmt.Join(one.args)
		}
		for _, args := range one.args {
			out = append(out, Stmt{Query: one.stmt.Query, Args: args})
		}
	}
	return out
}
