package v1

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/search"
	"github.com/mockfhir/mockfhir/internal/store"
)

// Limits of _count (ans-server.md §14).
const (
	defaultCount = 50
	maxCount     = 2000
)

// ignored are the parameters that every request may have: they do not look
// for anything. HAPI lets _sort and _offset pass, and ANS's code drops them.
var ignored = []string{
	"_format", "_pretty", "_summary", "_elements", "_narrative", "_sort", "_offset", "_raw",
	"_getpages", "_getpagesoffset", "_pageId", "_bundletype",
}

// reader turns parameters into a search.
type reader struct {
	snap  *store.Snapshot
	typ   *fixtures.Type
	now   time.Time
	query *search.Query
	joins int // _has so far

	incident Incident
}

// readQuery reads the search of a type.
func readQuery(snap *store.Snapshot, typ string, p params, now time.Time, incident Incident) (*search.Query, error) {
	r := reader{snap: snap, typ: snap.Table().Type(typ), now: now, query: &search.Query{Type: typ, Count: defaultCount}, incident: incident}
	r.incident.Rules.Now = now
	if n := incident.Rules.DefaultCount; n > 0 {
		r.query.Count = n
	}
	for _, pair := range p {
		if err := r.add(pair.name, pair.value); err != nil {
			return nil, err
		}
	}
	if n := incident.Rules.MaxCount; n > 0 {
		r.query.Count = min(r.query.Count, n)
	}
	return r.query, nil
}

func (r *reader) add(full, value string) error {
	name, modifier, _ := strings.Cut(full, ":")
	switch {
	case name == "_count":
		return r.count(value)
	case name == "_total":
		return r.total(value)
	case name == "_include":
		return r.include(value)
	case name == "_revinclude":
		return r.revInclude(value)
	case name == "_since":
		return r.since(value)
	case name == "_has":
		return r.has(modifier, value)
	case slices.Contains(ignored, name):
		return nil
	}
	c, err := r.criterion(r.typ, name, modifier, value)
	if err == nil && len(c.Any) > 0 {
		r.query.Criteria = append(r.query.Criteria, c)
	}
	return err
}

// criterion reads one parameter of a type: its values between commas.
func (r *reader) criterion(typ *fixtures.Type, name, modifier, value string) (store.Criterion, error) {
	param := typ.Param(name)
	if param == nil {
		return store.Criterion{}, unknownParam(name, typ.Type, names(typ))
	}
	if typ.Type == "PractitionerRole" && name == "identifier" {
		return store.Criterion{}, notConfigured(typ.Type, name)
	}
	c := store.Criterion{Param: name}
	for _, item := range items(value) {
		cond, err := r.condition(param, modifier, item)
		if err != nil {
			return c, err
		}
		c.Any = append(c.Any, cond)
	}
	return c, nil
}

func (r *reader) condition(param *fixtures.Param, modifier, value string) (store.Condition, error) {
	switch param.Kind {
	case fixtures.String:
		return search.StringCondition(modifier, value, strings.ToLower), nil
	case fixtures.Token:
		if param.Name == "_id" {
			value = r.incident.kept(value)
		}
		return search.TokenCondition(modifier, value), nil
	case fixtures.Date:
		return r.date(value)
	case fixtures.Reference:
		value = r.incident.kept(value)
		cond, err := search.ReferenceCondition(typeAndID(value))
		if err != nil { // HAPI reads anything as an id, and none has this one
			return store.Condition{Match: store.Exactly, Space: store.TargetID, Text: value}, nil
		}
		return cond, nil
	}
	return store.Condition{Match: store.Exactly, Space: store.URI, Text: value}, nil
}

// date reads a bound of meta.lastUpdated, the one date of version 1's table.
func (r *reader) date(value string) (store.Condition, error) {
	cond, err := search.DateCondition(value, time.UTC, r.now)
	if err != nil {
		return cond, invalid("%v", err)
	}
	if told, changed := r.incident.Rules.Retell("_lastUpdated", cond.Date); changed {
		return told, nil
	}
	return cond, nil
}

// typeAndID is what a reference ends in: HAPI takes a whole address for it.
func typeAndID(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	parts := strings.Split(strings.TrimRight(value, "/"), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// items splits a value at the commas that are not escaped; empty items vanish.
func items(value string) []string {
	var list []string
	var item strings.Builder
	end := func() {
		if strings.TrimSpace(item.String()) != "" {
			list = append(list, item.String())
		}
		item.Reset()
	}
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == ',':
			end()
		case value[i] == '\\' && i+1 < len(value) && strings.IndexByte(`,$|\`, value[i+1]) >= 0:
			i++
			item.WriteByte(value[i])
		default:
			item.WriteByte(value[i])
		}
	}
	end()
	return list
}

// names lists what a type is announced to be searched by, as an error does.
func names(typ *fixtures.Type) []string {
	list := []string{"_since", "_total"}
	for _, p := range announcedTable().Type(typ.Type).Params {
		list = append(list, p.Name)
	}
	slices.Sort(list)
	return list
}

func (r *reader) count(value string) error {
	n, err := strconv.Atoi(value)
	switch {
	case errors.Is(err, strconv.ErrRange):
		n = maxCount
	case err != nil:
		return invalid("Invalid _count value: %s", value)
	}
	if n < 0 {
		n = defaultCount
	}
	r.query.Count = min(n, maxCount)
	return nil
}

func (r *reader) total(value string) error {
	switch value {
	case "", "accurate", "estimate":
		r.query.Total = search.Counted
	case "none":
		r.query.Total = search.NotCounted
	default:
		return accessFailure("fr.ans.afas.exception.BadSelectExpression: Bad value for the _total parameter. Allowed values are : accurate, none, estimate")
	}
	return nil
}

// since is a lower bound of meta.lastUpdated.
func (r *reader) since(value string) error {
	if value == "" {
		return nil
	}
	cond, err := r.date("ge" + value)
	if err != nil { // the prefix is ours, and no part of what was sent
		return invalid("%s", strings.Replace(err.Error(), "ge"+value, value, 1))
	}
	r.query.Criteria = append(r.query.Criteria, store.Criterion{Param: "_lastUpdated", Any: []store.Condition{cond}})
	return nil
}

// revIncludes are those that the CapabilityStatement lists, whatever the type.
var revIncludes = []string{
	"Device:location", "Device:organization", "HealthcareService:organization", "Organization:endpoint",
	"Organization:partof", "PractitionerRole:organization", "PractitionerRole:practitioner",
}

func (r *reader) include(value string) error {
	if strings.Contains(value, ",") {
		return invalid("HAPI-0441: 'OR' query parameters (values containing ',') are not supported in _include parameters")
	}
	if value == "*" || value == r.typ.Type+":*" {
		r.query.Include = addOnce(r.query.Include, r.references(r.typ)...)
		return nil
	}
	if !slices.Contains(r.typ.Includes, value) {
		return badInclude(value, r.typ.Includes, "_include")
	}
	_, name, _ := strings.Cut(value, ":")
	if r.typ.Param(name) != nil { // PractitionerRole:partof is announced, and nothing
		r.query.Include = addOnce(r.query.Include, search.Include{Type: r.typ.Type, Param: name})
	}
	return nil
}

// revInclude takes what is announced, and Type:* for all the references of a
// type, which the guide writes (version-1/resources/organization.md).
func (r *reader) revInclude(value string) error {
	typ, name, _ := strings.Cut(value, ":")
	if other := r.snap.Table().Type(typ); other != nil && name == "*" {
		r.query.RevInclude = addOnce(r.query.RevInclude, r.references(other)...)
		return nil
	}
	if !slices.Contains(revIncludes, value) {
		return badInclude(value, revIncludes, "_revinclude")
	}
	r.query.RevInclude = addOnce(r.query.RevInclude, search.Include{Type: typ, Param: name})
	return nil
}

// addOnce adds what is not there: HAPI keeps includes in a set.
func addOnce(to []search.Include, more ...search.Include) []search.Include {
	for _, include := range more {
		if !slices.Contains(to, include) {
			to = append(to, include)
		}
	}
	return to
}

func (r *reader) references(typ *fixtures.Type) (all []search.Include) {
	for _, p := range typ.Params {
		if p.Kind == fixtures.Reference {
			all = append(all, search.Include{Type: typ.Type, Param: p.Name})
		}
	}
	return all
}

// maxJoins bounds the _has of a request: each is a search of its own.
const maxJoins = 16

// has finds what others refer to: _has:PractitionerRole:organization:role=10.
func (r *reader) has(path, value string) error {
	parts := strings.SplitN(path, ":", 3)
	if r.joins++; len(parts) != 3 || r.joins > maxJoins {
		return invalid("Invalid _has parameter: %s", path)
	}
	other := r.snap.Table().Type(parts[0])
	if other == nil {
		return unknownType(parts[0])
	}
	link := other.Param(parts[1])
	if link == nil {
		return unknownParam(parts[1], other.Type, names(other))
	}
	if link.Kind != fixtures.Reference {
		return accessFailure("fr.ans.afas.exception.BadParametersException: _has is only supported on references")
	}
	name, modifier, _ := strings.Cut(parts[2], ":")
	c, err := r.criterion(other, name, modifier, value)
	if err != nil {
		return err
	}
	// Nothing has an empty id: without a match the condition stays unmet.
	ids := store.Criterion{Param: "_id", Any: []store.Condition{{Match: store.Exactly, Space: store.Code}}}
	for _, doc := range r.snap.Search(other.Type, []store.Criterion{c}).From(0, math.MaxInt32) {
		for _, target := range r.snap.Targets(doc, link.Name) {
			if typ, id, _ := strings.Cut(target, "/"); typ == r.typ.Type {
				ids.Any = append(ids.Any, store.Condition{Match: store.Exactly, Space: store.Code, Text: id})
			}
		}
	}
	r.query.Criteria = append(r.query.Criteria, ids)
	return nil
}
