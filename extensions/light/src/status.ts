//! Reads `git status --porcelain=v2 --branch -z`. Pure; what it does not know it leaves out.

export interface Change {
  path: string;
  /** M, A, D, R, C, T, `U` for untracked, `!` for a conflict. */
  letter: string;
}

export interface Status {
  branch: string;
  ahead: number;
  behind: number;
  staged: Change[];
  changes: Change[];
}

export function read(text: string): Status {
  const status: Status = { branch: "HEAD", ahead: 0, behind: 0, staged: [], changes: [] };
  const records = text.split("\0");
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at] ?? "";
    const words = record.split(" ");
    switch (record[0]) {
      case "#":
        header(words, status);
        break;
      case "1":
        both(words[1], words.slice(8).join(" "), status);
        break;
      case "2":
        both(words[1], words.slice(9).join(" "), status);
        at += 1; // the name it had before
        break;
      case "u":
        status.changes.push({ path: words.slice(10).join(" "), letter: "!" });
        break;
      case "?":
        status.changes.push({ path: record.slice(2), letter: "U" });
        break;
    }
  }
  return status;
}

function header(words: string[], status: Status): void {
  if (words[1] === "branch.head") status.branch = words[2] ?? "HEAD";
  if (words[1] === "branch.ab") {
    status.ahead = Number(words[2]) || 0;
    status.behind = -Number(words[3]) || 0;
  }
}

function both(letters: string | undefined, path: string, status: Status): void {
  const [index, tree] = letters ?? "..";
  if (index && index !== ".") status.staged.push({ path, letter: index });
  if (tree && tree !== ".") status.changes.push({ path, letter: tree });
}
