package seal

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// KeySize is the size of a key in bytes.
	KeySize = 32
	// MaxKeys is the number of keys in a file.
	MaxKeys = 16
	// MaxID is the longest id of a key, in bytes.
	MaxID = 16
	// Clear is the id that stands for no encryption.
	Clear = "none"
)

// Keys are the keys of a file. A nil *Keys seals nothing, and opens nothing that is sealed.
type Keys struct {
	current string // empty: values stay clear
	masters map[string][]byte
}

// Parse reads keys: lines of "id:base64 of 32 bytes", the current one first. Blank lines, and those that begin with #, are
// ignored. A first line "none" stores new values in clear; the other keys then only open. Errors never repeat a key.
func Parse(text []byte) (*Keys, error) {
	k := &Keys{masters: make(map[string][]byte)}
	lines := bufio.NewScanner(bytes.NewReader(text))
	first, number := true, 0
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if line == Clear && first {
			first = false
			continue
		}
		id, err := k.add(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if first {
			k.current, first = id, false
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	if len(k.masters) == 0 {
		return nil, errors.New("no key: want lines of id:base64 of 32 bytes")
	}
	return k, nil
}

func (k *Keys) add(line string) (id string, err error) {
	id, encoded, _ := strings.Cut(line, ":")
	master, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case !validID(id):
		return "", fmt.Errorf("id: want 1 to %d of a-z, 0-9 and -, not %q alone", MaxID, Clear)
	case err != nil || len(master) != KeySize:
		return "", fmt.Errorf("key %s: want the base64 of %d bytes, as `openssl rand -base64 32` prints", id, KeySize)
	case k.masters[id] != nil:
		return "", fmt.Errorf("key %s: it is there twice", id)
	case len(k.masters) == MaxKeys:
		return "", fmt.Errorf("more than %d keys", MaxKeys)
	}
	k.masters[id] = master
	return id, nil
}

func validID(id string) bool {
	return id != "" && id != Clear && len(id) <= MaxID && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Current returns the id of the key that seals new values: Clear if they stay clear, and "" without keys.
func (k *Keys) Current() string {
	switch {
	case k == nil:
		return ""
	case k.current == "":
		return Clear
	default:
		return k.current
	}
}

// Has reports whether there is a key with the id. Clear is always there.
func (k *Keys) Has(id string) bool { return id == Clear || k != nil && k.masters[id] != nil }

// IDs returns the ids of the keys, sorted.
func (k *Keys) IDs() []string {
	var ids []string
	if k != nil {
		for id := range k.masters {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// On reports whether new values are sealed.
func (k *Keys) On() bool { return k != nil && k.current != "" }
