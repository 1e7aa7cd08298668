// --- the form of a rule

const TYPES = {{ types | tojson }};
const FIELDS = {{ fields | tojson }};
const FITTING = {{ fitting | tojson }};
const SILENT = new Set({{ silent | tojson }});
const CODES = {{ codes | tojson }};
const NAMES = { role: "電文", do: "動作", code: "コード", codes: "コード", amount: "金額", pan: "会員番号", terminal_id: "端末識別番号", times: "回数",
  share: "割合", after_ms: "応答までのミリ秒", floor_limit: "代行承認の上限", latency: "応答時間の分布", station: "局", between: "時間帯", from_s: "開始秒",
  until_s: "終了秒", when: "被仕向センタの状態" };
const typed = (name) => $("rule-" + name).value.trim();
const fieldOf = (name) => document.querySelector(`#rule-form [data-field="${name}"]`);

// Only what makes sense together is offered; what was chosen before stays chosen where it still does.
function offer(id, options) {
  const select = $(id), was = select.value;
  select.replaceChildren(...options.map(([value, words]) => new Option(words, value)));
  if (options.some(([value]) => value === was)) select.value = was;
}
function showForm() {
  const role = typed("role");
  offer("rule-do", Object.keys(FITTING).filter((deed) => !role || FITTING[deed].includes(role)).map((deed) => [deed, `${DEEDS[deed]} ${deed}`]));
  const deed = typed("do");
  offer("rule-code", [["", "既定（先頭のコード） the first listed"], ...(CODES[deed] || []).map(([code, words]) => [code, `${code} ${words}`])]);
  fieldOf("code").hidden = !(deed in CODES);
  fieldOf("after_ms").hidden = SILENT.has(deed);
  fieldOf("floor_limit").hidden = deed !== "stand_in";
  for (const name of ["amount", "pan", "terminal_id"]) fieldOf(name).hidden = Boolean(role) && !FIELDS[role].includes(name);
}

function problem(name, words) {
  const field = fieldOf(name);
  field.classList.add("wrong"); field.querySelector(".why").textContent = words;
}
function clearProblems() {
  for (const field of document.querySelectorAll("#rule-form [data-field]")) {
    field.classList.remove("wrong"); field.querySelector(".why").textContent = "";
  }
}

// The rule that the form says; null where something is wrong, which then stands beside its field.
function ruleOfForm() {
  clearProblems();
  const rule = { do: typed("do") };
  let good = true;
  const wrong = (name, words) => { good = false; problem(name, words); };
  const shownField = (name) => !fieldOf(name).hidden;
  const number = (name, id, least, words) => {
    const text = typed(id).replaceAll(",", "");
    if (text === "") return null;
    if (!/^[0-9]{1,12}$/.test(text) || Number(text) < least) { wrong(name, words); return null; }
    return Number(text);
  };
  if (typed("role")) rule.role = typed("role");
  if (shownField("code") && typed("code")) rule.code = typed("code");
  if (shownField("amount")) {
    const words = "円の整数で入力してください（例 4000） whole yen", from = number("amount", "amount", 0, words), to = number("amount", "amount-to", 0, words);
    if (from === null && to !== null) wrong("amount", "「から」の金額も入力してください the lower amount, too");
    else if (to !== null && from > to) wrong("amount", "「から」が「まで」より大きい：入れ替えてください put the smaller one first");
    else if (from !== null) rule.amount = to === null ? from : [from, to];
  }
  if (shownField("pan") && typed("pan")) {
    if (/^([0-9]{13,19}|[0-9]*\*)$/.test(typed("pan"))) rule.pan = typed("pan");
    else wrong("pan", "試験カードの番号 13〜19 桁、または先頭の数字と *（例 411111*） a whole test card number, or its beginning and *");
  }
  if (shownField("terminal_id") && typed("terminal_id")) rule.terminal_id = typed("terminal_id");
  const times = number("times", "times", 1, "1 以上の整数、毎回なら空欄 1 or more; empty for always");
  if (times !== null) rule.times = times;
  if (typed("share")) {
    const share = Number(typed("share"));
    if (share > 0 && share <= 100) rule.share = share / 100;
    else wrong("share", "0 より大きく 100 以下（%） above 0, at most 100");
  }
  if (shownField("after_ms")) {
    const after = number("after_ms", "after_ms", 0, "0 以上の整数（ミリ秒） milliseconds, 0 or more");
    if (after !== null) rule.after_ms = after;
  }
  if (shownField("floor_limit")) {
    const limit = number("floor_limit", "floor_limit", 0, "円の整数で入力してください whole yen");
    if (limit !== null) rule.floor_limit = limit;
    else if (!typed("floor_limit")) wrong("floor_limit", "代行には上限が必要です a stand-in needs one: up to how many yen it approves");
  }
  return good ? rule : null;
}

// What the centre answers, in words: with the field it is about.
function worded(text) {
  const found = /^rule: ([a-z_]+): (.*)$/s.exec(text);
  if (!found || !(found[1] in NAMES)) return `ルールを追加できません ${text}`;
  return `${NAMES[found[1]]}（${found[1]}）を直してください： ${found[2]}`;
}

$("rule-form").onsubmit = (event) => event.preventDefault();
$("rule-form").onchange = showForm;
$("add-form").onclick = () => {
  const rule = ruleOfForm();
  if (rule) { order("rule", { rule }, "ルールを追加しました added", "rule-told", worded); return; }
  $("rule-told").textContent = "✗ 赤枠の項目を直してください correct the fields in red"; $("rule-told").className = "bad";
};
$("from-form").onclick = () => { const rule = ruleOfForm(); if (rule) $("rule-text").value = JSON.stringify(rule); };
$("add-rule").onclick = () => {
  let rule;
  try { rule = JSON.parse($("rule-text").value); }
  catch (error) {
    $("json-told").textContent = `✗ JSON として読めません（引用符は " 、項目の間に , が必要） not JSON: ${error.message}`; $("json-told").className = "bad";
    return;
  }
  order("rule", { rule }, "ルールを追加しました added", "json-told", worded);
};
offer("rule-role", [["", "すべて（動作が当てはまる電文） every one that it makes sense for"],
  ...Object.keys(TYPES).map((role) => [role, `${TYPES[role]} ${ROLES[role]} ${role}`])]);
showForm();
