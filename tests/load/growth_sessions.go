package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// sessions continues longer and longer ones: by a client that sends its new
// message alone, where the history that goes to the model has a budget; and by
// one that sends all of it each time, without a session of ours.
func sessions(c *climber) (steps []rung, err error) {
	p := c.plan
	p.environment = append(p.environment, "GPTMESH_REQUEST_MAX_CONTEXT_TOKENS=1000") // nine messages
	mesh, err := c.mesh(p, "sessions")
	if err != nil {
		return nil, err
	}
	lengths := []int{10, 100, 1_000, 10_000}
	for _, n := range lengths {
		// Several, so that a short one stays short while it is measured.
		count := max(4, 4_000/n)
		for i := range count {
			if err := converse(mesh, sessionName(n, i), n); err != nil {
				return nil, err
			}
		}
		load := c.turn("a turn in a session of n messages", 8)
		load.turns, load.session = 400, func(turn int) string { return sessionName(n, turn%count) }
		load.promptBytes = historyBytes
		steps = append(steps, rung{load: load, n: n, mesh: mesh})
	}
	for _, n := range lengths {
		load := c.turn("a turn with n messages in it", 2)
		load.history = n
		steps = append(steps, rung{load: load, n: n, mesh: mesh})
	}
	return steps, nil
}

func sessionName(messages, i int) string { return fmt.Sprintf("s%d-%d", messages, i) }

// converse makes a session of so many messages.
func converse(mesh *process, id string, messages int) error {
	if err := post(mesh, "/mesh/v1/sessions", `{"session_id":"`+id+`"}`); err != nil {
		return err
	}
	const most = 1_000 // in one call
	for done := 0; done < messages; {
		var list []string
		for ; done < messages && len(list) < most; done++ {
			role := [2]string{"ROLE_USER", "ROLE_ASSISTANT"}[done%2]
			list = append(list, fmt.Sprintf(`{"role":%q,"parts":[{"text":"%d %s"}]}`, role, done, prose(done*historyBytes, historyBytes)))
		}
		if err := post(mesh, "/mesh/v1/sessions/"+id+"/messages", `{"messages":[`+strings.Join(list, ",")+`]}`); err != nil {
			return err
		}
	}
	return nil
}

func post(mesh *process, path, body string) error {
	_, err := call(mesh, http.MethodPost, path, body)
	return err
}

// call calls the REST face and returns the answer, which must be a success.
func call(mesh *process, method, path, body string) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+mesh.address+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+benchKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	return text, err
}
