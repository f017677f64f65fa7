package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ourModule = "github.com/saga-orchestrator/orchestrator"

// licence returns the licence that a text is, "" if it is not one of those that are allowed.
func licence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, known := range []struct{ name, phrase string }{
		{"", "GNU GENERAL PUBLIC LICENSE"},
		{"", "GNU LESSER GENERAL PUBLIC LICENSE"},
		{"", "GNU AFFERO GENERAL PUBLIC LICENSE"},
		{"MPL", "Mozilla Public License"},
		{"Apache", "Apache License Version 2.0"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
		{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted"},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
		{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
	} {
		if strings.Contains(text, known.phrase) {
			return known.name
		}
	}
	return ""
}

// modules returns the directories of the modules that the packages need, by path.
func modules(t *testing.T, arguments ...string) map[string]string {
	t.Helper()
	list := append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Dir}}{{end}}"}, arguments...)
	command := exec.CommandContext(t.Context(), "go", list...)
	command.Dir = "../../.."
	out, err := command.Output()
	require.NoError(t, err)
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok && path != ourModule {
			found[path] = dir
		}
	}
	require.NotEmpty(t, found)
	return found
}

func checkLicences(t *testing.T, allowed []string, arguments ...string) {
	t.Helper()
	for path, dir := range modules(t, arguments...) {
		files, err := filepath.Glob(filepath.Join(dir, "LICEN[SC]E*"))
		require.NoError(t, err)
		copying, err := filepath.Glob(filepath.Join(dir, "COPYING*"))
		require.NoError(t, err)
		files = append(files, copying...)
		if !assert.NotEmpty(t, files, "%s has no licence file in %s", path, dir) {
			continue
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Contains(t, allowed, licence(string(text)), "licence of %s, %s", path, file)
		}
	}
}

func TestLicencesOfTheProgramAreAllowed(t *testing.T) {
	t.Parallel()
	checkLicences(t, []string{"MIT", "BSD", "Apache", "ISC"}, "./cmd/...")
}

func TestLicencesOfTheTestsAreAllowed(t *testing.T) {
	t.Parallel()
	checkLicences(t, []string{"MIT", "BSD", "Apache", "ISC", "MPL"}, "-test", "./...")
}

func TestOtherLicencesAreRefused(t *testing.T) {
	t.Parallel()
	assert.Empty(t, licence("GNU GENERAL PUBLIC LICENSE\nVersion 3"))
	assert.Empty(t, licence("Business Source License 1.1"))
	assert.Equal(t, "MPL", licence("Mozilla Public License Version 2.0"))
}
