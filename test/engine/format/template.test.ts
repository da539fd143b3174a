import { describe, expect, it } from 'vitest';
import { compileTemplate, TemplateError } from '../../../src/engine/format/index.ts';

const container = {
  Id: 'abc123', Name: '/web', Pid: 42, Ratio: 0.5, Running: true, Nothing: null, Text: 'a<b>&c',
  Config: { Env: ['A=1', 'B=two'], Labels: { 'com.example.role': 'db', tier: 'back' }, Cmd: null },
  Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '443/tcp': null },
  Networks: { zeta: { IPAddress: '10.0.0.2' }, alpha: { IPAddress: '10.0.0.1' } },
};
const mapFields = new Set(['Labels', 'Ports', 'Networks']);
const listFields = new Set(['Cmd']);
const render = (source: string, data: unknown = container) => compileTemplate(source).render(data, { mapFields, listFields });

// docker-compare.test.ts beside the command line holds the same shapes against Docker's own templates.
const cases: ReadonlyArray<readonly [string, string]> = [
  ['plain {{.Name}} text', 'plain /web text'],
  ['{{ .Config.Env }}', '[A=1 B=two]'],
  ['{{json .Config}}', '{"Env":["A=1","B=two"],"Labels":{"com.example.role":"db","tier":"back"},"Cmd":null}'],
  ['{{json .Text}}', '"a<b>&c"'],
  ['{{index .Config.Labels "com.example.role"}}', 'db'],
  ['{{index .Config.Labels "missing"}}|', '|'],
  ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8080'],
  ['{{(index .Ports "80/tcp" 0).HostIp}}', '0.0.0.0'],
  ['{{range .Networks}}{{.IPAddress}} {{end}}', '10.0.0.1 10.0.0.2 '],
  ['{{range $name, $net := .Networks}}{{$name}}={{$net.IPAddress}};{{end}}', 'alpha=10.0.0.1;zeta=10.0.0.2;'],
  ['{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}{{end}}', 'A=1,B=two'],
  ['{{range .Config.Cmd}}x{{else}}none{{end}}', 'none'],
  ['{{range .Config.Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}}{{end}}', 'B=two'],
  ['{{range .Config.Env}}{{.}}{{break}}{{end}}', 'A=1'],
  ['{{.Config.Cmd}}', '[]'],
  ['{{.Config.Labels.nope}}', '<no value>'],
  ['{{.Config.Labels}}', 'map[com.example.role:db tier:back]'],
  ['{{.Nothing}}', '<no value>'],
  ['{{.ID}}', 'abc123'],
  ['{{if .Running}}up{{else}}down{{end}}', 'up'],
  ['{{if not .Running}}a{{else if gt .Pid 40}}b{{else}}c{{end}}', 'b'],
  ['{{if and .Running (eq .Name "/web")}}yes{{end}}', 'yes'],
  ['{{or .Nothing "default"}}', 'default'],
  ['{{with .Config}}{{len .Env}}{{$.Name}}{{end}}', '2/web'],
  ['{{with .Nothing}}x{{else}}y{{end}}', 'y'],
  ['{{with .Nothing}}x{{else with .Name}}{{.}}{{end}}', '/web'],
  ['{{$x := .Pid}}{{$x = 7}}{{$x}}', '7'],
  ['{{$n := ""}}{{range .Config.Env}}{{$n = .}}{{end}}{{$n}}', 'B=two'],
  ['{{.Name | printf "%s-%d" "n" | upper}}', 'N-%!D(STRING=/WEB)'],
  ['{{printf "%-6s|%5d|%05.1f|%q|%v|%t|%x" "ab" 42 3.14159 "q\\"x" .Config.Env true 255}}', 'ab    |   42|003.1|"q\\"x"|[A=1 B=two]|true|ff'],
  ['{{printf "%s"}}', '%!s(MISSING)'],
  ['{{printf "a" 1}}', 'a%!(EXTRA int=1)'],
  ['{{printf "%d" "x"}}', '%!d(string=x)'],
  ['{{println "a" 1 .Running}}', 'a 1 true\n'],
  ['{{print 1 2 "x" 3}}', '1 2x3'],
  ['{{join .Config.Env ", "}}', 'A=1, B=two'],
  ['{{range split "a,b" ","}}<{{.}}>{{end}}', '<a><b>'],
  ['{{lower "AbC"}}{{upper "x"}}{{title "hello big world"}}', 'abcXHello Big World'],
  ['{{pad "x" 1 2}}|{{truncate "abcdef" 3}}', ' x  |abc'],
  ['{{.Ratio}} {{.Pid}} {{1e3}} {{0x10}} {{\'a\'}}', '0.5 42 1000 16 97'],
  ['{{"a\\tb"}}{{`raw\\t`}}', 'a\tbraw\\t'],
  ['a {{- .Name -}}  b', 'a/webb'],
  ['{{/* a comment */}}x{{- /* trimmed */ -}} y', 'xy'],
  ['{{define "row"}}<{{.}}>{{end}}{{range .Config.Env}}{{template "row" .}}{{end}}', '<A=1><B=two>'],
  ['{{block "b" .Name}}[{{.}}]{{end}}', '[/web]'],
  ['{{eq .Pid 1 42}} {{ne .Name "x"}} {{lt 1 2}} {{ge "b" "a"}} {{le 2 2}}', 'true true true true true'],
  ['{{slice .Name 1 3}}{{len "né"}}', 'we3'],
  ['{{html .Text}}', 'a&lt;b&gt;&amp;c'],
  ['{{range 3}}{{.}}{{end}}', '012'],
];

describe('templates', () => {
  it.each(cases)('%s', (source, expected) => {
    expect(render(source)).toBe(expected);
  });

  it.each([
    ['{{.Foo', 'unclosed action'],
    ['{{.Foo}}', 'map has no entry for key "Foo"'],
    ['{{nope .X}}', 'function "nope" not defined'],
    ['{{if .X}}', 'unexpected EOF'],
    ['{{end}}', 'unexpected {{end}}'],
    ['{{$x}}', 'undefined variable "$x"'],
    ['{{break}}', 'outside {{range}}'],
    ['{{"open}}', 'unterminated quoted string'],
    ['{{.Name.First}}', "can't evaluate field First"],
    ['{{eq .Pid "42"}}', 'incompatible types'],
    ['{{index .Config.Env 9}}', 'out of range'],
    ['{{template "none"}}', 'not defined'],
    ['{{define "loop"}}{{template "loop"}}{{end}}{{template "loop"}}', 'maximum template depth'],
    ['{{(.Name}}', 'unclosed left paren'],
    ['{{upper .Pid}}', 'expected string'],
  ])('%s fails: %s', (source, message) => {
    expect(() => render(source)).toThrow(TemplateError);
    expect(() => render(source)).toThrow(message);
  });

  it('does not look below Object.prototype', () => {
    expect(() => render('{{.constructor}}')).toThrow('no entry for key "constructor"');
    expect(render('{{index .Config.Labels "toString"}}|')).toBe('|');
  });
});
