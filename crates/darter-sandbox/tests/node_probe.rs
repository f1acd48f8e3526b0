//! Node inside a sandbox.
mod harness;
use darter_sandbox::{Bind, ExitReason};
use harness::{run_spec, spec, world};

#[test]
fn node_runs() {
    world(|world| async move {
        let mut spec = spec([
            "/usr/bin/node",
            "-e",
            r#"
const os=require('os'),fs=require('fs');
const t=(n,f)=>{try{console.log(n,JSON.stringify(f()))}catch(e){console.log(n,'ERR',e.message)}};
t('version',()=>process.version); t('cpus',()=>os.cpus().length); t('avail',()=>os.availableParallelism());
t('mem',()=>[os.totalmem(),os.freemem(),process.constrainedMemory(),process.availableMemory()]);
t('net',()=>Object.keys(os.networkInterfaces())); t('uptime',()=>os.uptime()); t('user',()=>os.userInfo());
t('rss',()=>process.memoryUsage()); t('ls',()=>fs.readdirSync('/')); t('proc',()=>fs.readdirSync('/proc'));
t('fd',()=>fs.readdirSync('/proc/self/fd')); t('write',()=>fs.writeFileSync('/tmp/x','1'));
t('spawn',()=>require('child_process').execSync('id; nproc').toString());
t('caps',()=>fs.readFileSync('/proc/self/status','utf8').split('\n').filter(l=>/Cap|Secc|NoNew|Uid/.test(l)));
new (require('worker_threads').Worker)('console.log("worker")',{eval:true});
const s=require('http').createServer((q,r)=>r.end('x')).listen(3000,'127.0.0.1',()=>require('http').get('http://127.0.0.1:3000',r=>{console.log(r.statusCode);s.close()}));
"#,
        ]);
        spec.limits.memory = 512 << 20;
        let ran = run_spec(&world.client, spec).await;
        eprintln!("{:?}\n{}", ran.exit, ran.output);
        assert_eq!(ran.exit.reason, ExitReason::Code(0));
    });
}
