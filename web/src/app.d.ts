// Ambient types of the console. Nothing else belongs here.
declare global {
  namespace App {}
}
export {};
