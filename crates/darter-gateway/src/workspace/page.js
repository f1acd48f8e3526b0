//! Runs beside the editor in its page. Tells the platform when a person does something, and shows in the editor's status
//! bar when the workspace goes to rest and why: a click keeps it awake for two hours.
//! Must never disturb the editor, and never tell of anything that no person did: that would keep a quiet workspace awake.
(() => {
  /** What is told at most once in this time; longer than nobody notices, shorter than any workspace rests. */
  const TELL_EVERY = 2_000
  const LOOK_EVERY = 20_000
  const KEEP_MINUTES = 120
  const MINUTE = 60_000

  const depth = document.currentScript?.dataset.depth
  const chinese = navigator.language.toLowerCase().startsWith('zh')
  const words = chinese
    ? {
        frozen: '{time} 冻结', stopped: '{time} 休眠', kept: '保持唤醒至 {time}', asleep: '已冻结', keep: '保持 2 小时',
        changed: '已改为{depth}模式：重新加载', light: '轻量', full: '完整', click: '点击可保持唤醒 2 小时。', unkeep: '点击可重新允许休眠。',
        touch: '任何操作都会立即唤醒它。',
        why: {
          quiet: '因为届时已有 {span}无人使用。', open_but_quiet: '因为标签页虽开着，但届时已有 {span}无人操作。',
          jobs_limit: '因为程序最多让它保持唤醒 {span}。', job_ended: '因为届时最后一个程序已结束 {span}。',
          frozen_for_long: '因为届时已冻结 {span}。', kept: '因为有人要求保持到那时。',
        },
        hours: '{n} 小时', minutes: '{n} 分钟', seconds: '{n} 秒',
      }
    : {
        frozen: 'Sleeps at {time}', stopped: 'Stops at {time}', kept: 'Awake until {time}', asleep: 'Asleep', keep: 'keep 2 h',
        changed: 'Now {depth}: reload', light: 'light', full: 'full', click: 'Click to keep it awake for 2 hours.',
        unkeep: 'Click to let it rest again.', touch: 'Whatever you do wakes it at once.',
        why: {
          quiet: 'After {span} with nobody there.', open_but_quiet: 'After {span} without a key or a click, although its tab is open.',
          jobs_limit: 'Programs alone keep it awake for {span} at most.', job_ended: '{span} after its last program.',
          frozen_for_long: 'After {span} asleep.', kept: 'Somebody wanted it kept until then.',
        },
        hours: '{n} h', minutes: '{n} min', seconds: '{n} s',
      }
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')

  /** Whoever did something just now is there. */
  const THERE = 5_000
  /** JupyterLab asks once more after its page was hidden, some things only each minute. */
  const AHEAD = 90_000
  const shown = Object.getOwnPropertyDescriptor(Document.prototype, 'visibilityState').get.bind(document)

  let told = -TELL_EVERY
  let acted = -THERE
  let status
  let ahead = 0
  let item

  function act(event) {
    if (!event.isTrusted) return
    const slept = dozes() || (status && status.observed.state !== 'running')
    acted = performance.now()
    if (acted - told < TELL_EVERY) return
    told = acted
    fetch('/.darter/activity', { method: 'POST', keepalive: true }).then(() => slept && look(), () => {})
  }

  async function look(path = '/.darter/status', options = {}) {
    try {
      const answer = await fetch(path, options)
      if (!answer.ok) return
      status = await answer.json()
      ahead = status.now - Date.now()
      show()
    } catch {
      // The server is away; the editor says so itself.
    }
  }

  const rests = () => ['frozen', 'reclaimed'].includes(status.observed.state)

  /** It rests, or is about to, and nobody does anything here. */
  function dozes() {
    if (!status || performance.now() - acted < THERE) return false
    return rests() || Boolean(status.next) && Date.now() + ahead > status.next.at - AHEAD
  }

  /** JupyterLab asks its server again and again while its page is shown, and would wake it each time. A page of a workspace
   * at rest is as good as hidden: until somebody does something nothing changes there. */
  function letRest() {
    let dozing = false
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (dozing ? 'hidden' : shown()) })
    setInterval(() => {
      if (dozing === dozes()) return
      dozing = !dozing
      document.dispatchEvent(new Event('visibilitychange'))
    }, 1_000)
  }

  const time = (at) => new Date(at - ahead).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })

  function span(ms) {
    if (ms >= 60 * MINUTE && ms % (60 * MINUTE) === 0) return say(words.hours, { n: ms / (60 * MINUTE) })
    return ms >= MINUTE ? say(words.minutes, { n: Math.round(ms / MINUTE) }) : say(words.seconds, { n: Math.round(ms / 1_000) })
  }

  /** Text, explanation, and what a click does. */
  function said() {
    if (depth && status.depth !== depth) {
      return [say(words.changed, { depth: words[status.depth] }), '', () => location.reload()]
    }
    const keep = (minutes) => () => look(`/.darter/keep?minutes=${minutes}`, { method: 'POST' })
    if (rests()) return [words.asleep, words.touch, keep(KEEP_MINUTES)]
    const { next } = status
    if (!next || !words[next.state]) return undefined
    const at = time(next.at)
    const why = say(words.why[next.reason.key] ?? '', { span: span(next.reason.params.after_ms) })
    if (next.reason.key === 'kept') return [say(words.kept, { time: at }), `${why} ${words.unkeep}`, keep(0)]
    return [`${say(words[next.state], { time: at })} · ${words.keep}`, `${why} ${words.click}`, keep(KEEP_MINUTES)]
  }

  /** An entry that looks like the editor's own. */
  function make(jupyter) {
    const entry = document.createElement('div')
    const label = document.createElement('a')
    entry.id = 'darter-rest'
    entry.className = jupyter ? 'jp-StatusBar-Item' : 'statusbar-item right'
    label.className = jupyter ? 'jp-StatusBar-TextItem' : 'statusbar-item-label'
    label.setAttribute('role', 'button')
    label.tabIndex = 0
    label.style.cursor = 'pointer'
    label.onclick = () => said()?.[2]()
    label.onkeydown = (event) => ['Enter', ' '].includes(event.key) && label.click()
    entry.append(label)
    return entry
  }

  function show() {
    const lab = document.querySelector('.jp-StatusBar-Right')
    const bar = lab ?? document.querySelector('.part.statusbar .right-items')
    if (!bar || !status) return
    item ??= make(lab !== null)
    if (!item.isConnected) bar.append(item)
    const [text, more] = said() ?? ['', '']
    item.hidden = !text
    item.firstChild.textContent = text
    item.firstChild.title = more
    item.firstChild.setAttribute('aria-label', `${text}. ${more}`)
  }

  for (const event of ['keydown', 'pointerdown', 'wheel']) addEventListener(event, act, { capture: true, passive: true })
  const seen = () => shown() === 'visible' && look()
  document.addEventListener('visibilitychange', seen)
  setInterval(seen, LOOK_EVERY)
  // The editor's status bar comes when it comes, and may be hidden and shown again.
  setInterval(() => item?.isConnected || show(), 1_000)
  addEventListener('load', seen)
  if (!depth) letRest()
})()
