package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// configOf reads what the last stage of a Dockerfile says about the image: one
// file decides, whoever builds. It knows the instructions of ours, and refuses
// others rather than leave something out.
func configOf(dockerfile string, args map[string]string) (v1.Config, error) {
	c := v1.Config{Labels: map[string]string{}, ExposedPorts: map[string]struct{}{}}
	stage := 0
	for _, line := range instructions(dockerfile) {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if word == "FROM" {
			stage++
			continue
		}
		if stage < 2 {
			continue
		}
		var err error
		switch word {
		case "ARG", "COPY": // the files are the caller's
		case "LABEL":
			err = pairs(rest, args, func(name, value string) { c.Labels[name] = value })
		case "ENV":
			err = pairs(rest, args, func(name, value string) { c.Env = append(c.Env, name+"="+value) })
		case "USER":
			c.User = rest
		case "EXPOSE":
			c.ExposedPorts[rest+"/tcp"] = struct{}{}
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(rest), &c.Entrypoint)
		case "HEALTHCHECK":
			c.Healthcheck, err = healthcheck(rest)
		default:
			err = errors.New("not an instruction this tool knows")
		}
		if err != nil {
			return c, fmt.Errorf("%s: %w", line, err)
		}
	}
	if stage != 2 {
		return c, fmt.Errorf("%d stages, want two", stage)
	}
	return c, nil
}

// instructions are the lines without comments, continued ones joined.
func instructions(dockerfile string) []string {
	var all []string
	open := ""
	for line := range strings.Lines(dockerfile) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		head, more := strings.CutSuffix(line, `\`)
		open += head
		if !more {
			all = append(all, open)
			open = ""
		}
	}
	return all
}

// pairs reads name=value and name="value", with ${ARG} inside.
func pairs(text string, args map[string]string, each func(name, value string)) error {
	for text != "" {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("%q has no value", text)
		}
		value := rest
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, rest, ok = strings.Cut(quoted, `"`)
			if !ok {
				return fmt.Errorf("%q is not closed", quoted)
			}
		} else {
			value, rest, _ = strings.Cut(rest, " ")
		}
		for arg, v := range args {
			value = strings.ReplaceAll(value, "${"+arg+"}", v)
		}
		each(name, value)
		text = strings.TrimSpace(rest)
	}
	return nil
}

func healthcheck(text string) (*v1.HealthConfig, error) {
	options, command, ok := strings.Cut(text, "CMD ")
	if !ok {
		return nil, errors.New("no CMD")
	}
	h := new(v1.HealthConfig)
	for option := range strings.FieldsSeq(options) {
		name, value, _ := strings.Cut(option, "=")
		var err error
		switch name {
		case "--interval":
			h.Interval, err = time.ParseDuration(value)
		case "--timeout":
			h.Timeout, err = time.ParseDuration(value)
		case "--retries":
			_, err = fmt.Sscan(value, &h.Retries)
		default:
			err = errors.New("not an option this tool knows")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", option, err)
		}
	}
	var cmd []string
	err := json.Unmarshal([]byte(command), &cmd)
	h.Test = append([]string{"CMD"}, cmd...)
	return h, err
}
