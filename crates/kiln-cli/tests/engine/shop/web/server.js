console.log(`sleeps ${require("ms")(9000)}`);
