import { TOKENS } from '../palette.ts'

/** The page's stylesheet with the colours of both themes. */
export function pageStyle(): string {
  return `${themes()}${RULES}`
}

function themes(): string {
  const write = (side: 0 | 1): string =>
    Object.entries(TOKENS)
      .map(([name, pair]) => `--${name}:${pair[side]}`)
      .join(';')
  const [light, dark] = [write(0), write(1)]
  return `:root{color-scheme:light;${light}}@media screen and (prefers-color-scheme:dark){:root[data-theme=auto]{color-scheme:dark;${dark}}}@media screen{:root[data-theme=dark]{color-scheme:dark;${dark}}}`
}

const RULES = `
:root{--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1180px;padding:28px 24px 56px;background:var(--page);color:var(--ink);font:15px/1.55 var(--sans)}
h1,h2,h3,h4{line-height:1.2;letter-spacing:-.012em;text-wrap:balance;margin:0}
h1{font-size:30px;font-weight:680}
h2{font-size:20px;font-weight:640;margin-bottom:6px}
h3{font-size:16px;margin:18px 0 6px}
h4{font-size:15px;margin:14px 0 4px}
a{color:var(--focus)}
button{font:inherit;color:inherit;cursor:pointer}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-999px}.skip:focus{left:16px;top:8px;background:var(--surface);padding:6px 12px;z-index:2}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.page-head{display:flex;gap:24px;justify-content:space-between;align-items:flex-start}
.page-head>div{min-width:0;overflow-wrap:anywhere}
.subtitle{margin:8px 0 0;color:var(--muted);font-size:16px;max-width:72ch;text-wrap:pretty}
#theme{flex:none;width:38px;height:38px;border:1px solid var(--rule);border-radius:10px;background:var(--surface);font-size:18px;line-height:1}
html:not(.scripted) #theme{display:none}
nav{position:sticky;top:0;z-index:1;margin:20px -24px 0;padding:10px 24px;background:color-mix(in srgb,var(--page) 92%,transparent);backdrop-filter:blur(6px);border-bottom:1px solid var(--rule)}
nav ol{display:flex;gap:4px 20px;list-style:none;margin:0;padding:0;overflow-x:auto;scrollbar-width:none;font-size:14px}
nav li{flex:none}
nav a{color:var(--muted);text-decoration:none}nav a:hover{color:var(--ink);text-decoration:underline}
section{margin-top:36px;scroll-margin-top:56px}
.prose{max-width:72ch;overflow-wrap:anywhere}.prose p{margin:0 0 10px;text-wrap:pretty}.prose ul,.prose ol{margin:0 0 10px;padding-left:22px}
section>h2+.prose{color:var(--muted)}
code{font:.92em var(--mono);background:var(--raised);padding:1px 5px;border-radius:4px}
pre{overflow-x:auto;background:var(--raised);padding:12px 14px;border-radius:8px}pre code{padding:0;background:none}
figure{margin:16px 0 0;padding:16px 18px 12px;background:var(--surface);border:1px solid var(--rule);border-radius:12px;min-width:0}
figcaption{margin-bottom:8px;overflow-wrap:anywhere}figcaption strong{display:block;font-size:15px;font-weight:620}figcaption span{display:block;color:var(--muted);font-size:13.5px;max-width:105ch;text-wrap:pretty}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:0 16px;align-items:stretch}
.row>div{min-width:0;display:flex;flex-direction:column}.row>div>figure{flex:1}
.plot{width:100%;min-width:0}html:not(.scripted) .plot{display:none}
.legend{display:flex;flex-wrap:wrap;gap:2px 4px;margin:0 0 4px -7px}
.legend button{display:inline-flex;align-items:center;gap:7px;border:0;background:none;padding:3px 7px;border-radius:6px;font-size:13px;max-width:100%;overflow-wrap:anywhere;text-align:left}
.legend button:hover{background:var(--raised)}
.legend button[aria-pressed=false]{color:var(--muted);text-decoration:line-through}.legend button[aria-pressed=false] i{opacity:.3}
.legend i{flex:none;width:18px;height:0;border-top:3px solid var(--k);border-radius:1px}
.legend i.dash{border-top-style:dashed}.legend i.dot{border-top-style:dotted}
.legend i.box{width:12px;height:12px;border:0;border-radius:3px;background:var(--k)}
.legend i.point{width:10px;height:10px;border:0;border-radius:50%;background:var(--k)}
html:not(.scripted) .legend{display:none}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;margin:16px 0 0}
.card{background:var(--surface);border:1px solid var(--rule);border-radius:12px;padding:14px 16px;min-width:0;display:flex;flex-direction:column}
.card dt{color:var(--muted);font-size:13px}.card dd{margin:0;font-size:13px}
.card .value{font-size:27px;font-weight:640;line-height:1.25;letter-spacing:-.02em;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.card .range{color:var(--muted);font-variant-numeric:tabular-nums}
.note.good{color:var(--good)}.note.bad{color:var(--bad)}.note.neutral{color:var(--muted)}.note span{font-size:10px}
.spark{margin-top:auto!important;padding-top:8px}.spark svg{display:block;width:100%;height:28px}.spark polyline{fill:none;stroke:var(--c0);stroke-width:1.6;vector-effect:non-scaling-stroke}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding:8px 0 4px}
th,td{text-align:left;padding:6px 18px 6px 0;border-bottom:1px solid var(--grid);vertical-align:top}
th{font-weight:600;color:var(--muted);border-bottom-color:var(--rule);white-space:nowrap}
td.num,th.num{text-align:right;white-space:nowrap}
td.best{font-weight:700}th.long{min-width:240px}
tbody tr:hover td{background:var(--raised)}
.table th button{border:0;background:none;padding:0;font-weight:600;color:var(--muted);white-space:nowrap}.table th button:hover{color:var(--ink)}
th[aria-sort] button{color:var(--ink)}th[aria-sort=ascending] button::after{content:" ↑"}th[aria-sort=descending] button::after{content:" ↓"}
.tools{display:flex;align-items:center;gap:12px;flex-wrap:wrap;margin-bottom:6px}.tools[hidden],html:not(.scripted) .tools{display:none}
input[type=search]{font:inherit;font-size:14px;color:inherit;background:var(--page);border:1px solid var(--rule);border-radius:8px;padding:6px 10px;width:min(100%,320px)}
.count,.rest{color:var(--muted);font-size:13px}.rest{margin:6px 0}
mark{background:color-mix(in srgb,var(--c4) 38%,transparent);color:inherit;border-radius:2px}
.pager{display:flex;gap:12px;align-items:center;justify-content:flex-end;margin-top:10px;font-size:13px;color:var(--muted)}.pager[hidden]{display:none}
.pager button{border:1px solid var(--rule);background:var(--surface);border-radius:7px;padding:3px 10px}.pager button:disabled{opacity:.45;cursor:default}
.data{margin-top:4px;font-size:13px}.data summary{color:var(--muted);cursor:pointer;width:fit-content}
.heat{border-collapse:separate;border-spacing:2px;table-layout:auto}
.heat th{border:0;font-weight:500;padding:4px 8px 4px 0;white-space:normal;vertical-align:middle;line-height:1.3}.heat thead th{text-align:center;padding:2px 4px}
.heat .corner{border:0;color:var(--muted);font-size:12px;white-space:nowrap}
.heat td[class]:not(.corner){border:0;border-radius:4px;text-align:center;vertical-align:middle;padding:8px 2px;min-width:42px;background:color-mix(in srgb,var(--h) var(--s),var(--raised))}
.heat .p{--h:var(--bullHigh)}.heat .n{--h:var(--bearHigh)}.heat .deep{color:#fff}
.heat td.none:not(.corner){background:repeating-linear-gradient(45deg,var(--raised) 0 4px,var(--rule) 4px 5px);color:var(--muted)}
.heat.dense{border-spacing:1px;table-layout:fixed}.heat.dense td[class]:not(.corner){min-width:0;padding:0;height:14px;border-radius:1px}
.heat.dense thead th span{display:none}.heat.dense th{font-size:10.5px;line-height:1;padding:0 6px 0 0;overflow:hidden;text-overflow:ellipsis;width:72px}.heat.dense thead th{width:auto;padding:0}
.heat-scale{display:flex;align-items:center;gap:8px;margin-top:8px;color:var(--muted);font-size:12px;font-variant-numeric:tabular-nums}
.heat-scale i{width:120px;height:8px;border-radius:4px;background:linear-gradient(90deg,var(--raised),var(--bullHigh))}.heat-scale.diverging i{background:linear-gradient(90deg,var(--bearHigh),var(--raised),var(--bullHigh))}
.tabs{margin-top:16px}[role=tablist]{display:flex;gap:4px;overflow-x:auto;border-bottom:1px solid var(--rule)}
[role=tab]{flex:none;border:0;background:none;padding:8px 12px;color:var(--muted);border-bottom:2px solid transparent}[role=tab][aria-selected=true]{color:var(--ink);font-weight:600;border-bottom-color:var(--c0)}
.scripted:not(.printing) [data-closed]{display:none}.scripted:not(.printing) .tab-title,html:not(.scripted) [role=tablist]{display:none}
.notice{background:var(--raised);padding:10px 14px;border-radius:8px}
footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--rule);color:var(--muted);font-size:13px;overflow-wrap:anywhere}
@media(max-width:600px){body{padding:18px 14px 40px}h1{font-size:23px}h2{font-size:18px}nav{margin:14px -14px 0;padding:9px 14px}figure{padding:13px 12px 10px;border-radius:10px}.cards{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}.card{padding:11px 12px}.card .value{font-size:22px}.heat td[class]:not(.corner){min-width:0;padding:7px 1px;font-size:11px}.heat th{font-size:12px}}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{body{max-width:none;padding:0;background:#fff;font-size:11pt}nav,#theme,.skip,.pager,.tools,details.data{display:none!important}figure,.card{break-inside:avoid;border-color:#ccc}section{break-before:auto}[role=tablist]{display:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`
