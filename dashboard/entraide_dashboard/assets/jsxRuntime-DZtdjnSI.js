var e,t,n,r,i,a,o,s,c,l,u,d=Symbol.for(`pv`),f={},p=[],m=/^m(i|n|o|s|text|space)$/,h=Array.isArray,g=p.slice,_=Object.assign;function v(e){e&&e.parentNode&&e.remove()}function y(e,t,n){var r,i,a,o={},s=arguments.length;for(a in t)a==`key`?r=t[a]:a==`ref`&&typeof e!=`function`?i=t[a]:o[a]=t[a];return s>2&&(o.children=s>3?g.call(arguments,2):n),b(e,o,r,i,null)}function b(n,r,i,a,o){var s={type:n,props:r,key:i,ref:a,__k:null,__:null,__b:0,__e:null,__c:null,constructor:d,__v:o||++t,__i:-1,__u:0};return!o&&e.vnode&&e.vnode(s),s}function x(e){return e.children}function S(e,t){this.props=e,this.context=t,this.__g=0}function C(e,t){if(t==null)return e.__&&C(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!=`function`||e.props.__P?null:C(e)}function w(t){var n,r=t.__v,i=r.__e,a=[],o=[],s=t.__P;s&&((n=_({constructor:d},r)).__v=r.__v+1,e.vnode&&e.vnode(n),re(s,n,r,t.__n,s.namespaceURI,32&r.__u?[i]:null,a,i||C(r),32&r.__u,o),n.__v=r.__v,n.__.__k[n.__i]=n,M(a,n,o),r.__=r.__e=null,n.__e!=i&&T(n))}function T(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),T(e)}function E(t){(8&t.__g||(t.__g|=8,r.push(t),a++))&&i==e.debounceRendering||((i=e.debounceRendering)||queueMicrotask)(D)}function D(){try{for(var e,t=1;r.length;)r.length>t&&r.sort(o),e=r.shift(),t=r.length,8&e.__g&&w(e)}finally{(a=r.length)&&(i||queueMicrotask)(D)}}function ee(e,t,n,r,i,a,o,s,c,l,u){var d,m,h,g,_,v,y=r.__k||p,b=t.length;for(c=O(n,t,y,c,b),d=0;d<b;d++)(h=n.__k[d])!=null&&(m=~h.__i&&y[h.__i]||f,h.__i=d,v=re(e,h,m,i,a,o,s,c,l,u),g=h.__e,(m.ref!=h.ref||8&m.__u)&&(m.ref&&N(m.ref,null,h,m),h.ref&&u.push(h.ref,h.__c||g,h)),_||=g,4&h.__u?(c=k(h,c,e,!m.__v),m.__e&&(m.__e=null)):typeof h.type==`function`&&v!==void 0?c=v:g&&(c=g.nextSibling),h.__u&=-21);return n.__e=_,c}function O(e,t,n,r,i){var a,o,s,c,l,u,f,p,m,g=n.length,_=g,v=0,y=0,S=e.__k=Array(i);for(a=0;a<i;a++)(o=t[a])!=null&&typeof o!=`boolean`&&typeof o!=`function`?(typeof o!=`object`||o.constructor===String?o=S[a]=b(null,o):h(o)?o=S[a]=b(x,{children:o}):o.constructor===d&&o.__b?o=S[a]=b(o.type,o.props,o.key,o.ref,o.__v):S[a]=o,c=a+v,o.__=e,o.__b=e.__b+1,s=null,~(l=o.__i=te(o,n,c,_))&&(_--,(s=n[l])&&(s.__u|=2)),s&&s.__v?(o.__u|=16,l==c-1?v--:l==c+1?v++:l!=c&&(l>c?v--:v++,y=1)):(~l||(i>g?v--:i<g&&v++),typeof o.type!=`function`&&(o.__u|=4))):S[a]=null;if(y){for(u=[],f=[],a=0;a<i;a++)if((o=S[a])&&16&o.__u){for(v=0,p=u.length;v<p;)u[m=v+p>>1]<o.__i?v=m+1:p=m;u[v]=o.__i,f[a]=v+1}for(v=u.length;a--;)f[a]&&(f[a]==v?v--:S[a].__u|=4)}if(_)for(a=0;a<g;a++)!(s=n[a])||2&s.__u||(s.__e==r&&(r=C(s)),se(s,s));return r}function k(e,t,n,r){var i,a,o,s;if(typeof e.type==`function`){if(e.props.__P)return t;if(i=e.__k)for(a=0;a<i.length;a++)i[a]&&(i[a].__=e,t=k(i[a],t,n,!1));return t}for(t&&!t.parentNode&&(t=C(e))&&!t.parentNode&&(t=null),o=e.__e,s=t;s&&s.nodeType==8;)s=s.nextSibling;for(o!=s&&(!r&&n.moveBefore&&o.parentNode?n.moveBefore(o,t):n.insertBefore(o,t||null)),t=o;(t&&=t.nextSibling)&&t.nodeType==8&&!t.data.startsWith(`$s`););return t}function te(e,t,n,r){var i,a=e.key,o=e.type,s=t[n],c=s&&!(2&s.__u);if(s===null&&a==null||c&&a==s.key&&o==s.type)return n;if(r>+!!c){for(i=n-1;i>=0;i--)if((s=t[i])&&!(2&s.__u)&&a==s.key&&o==s.type)return i;for(i=n+1;i<t.length;i++)if((s=t[i])&&!(2&s.__u)&&a==s.key&&o==s.type)return i}return-1}function ne(e,t,n){n??=``,t[0]==`-`?e.setProperty(t,n):e[t]=n}function A(e,t,n,r,i){var a,o;if(t==`style`){if(typeof n==`string`)e.style.cssText=n;else{if(typeof r==`string`&&(e.style.cssText=r=``),r)for(t in r)n&&t in n||ne(e.style,t);if(n)for(t in n)r&&n[t]==r[t]||ne(e.style,t,n[t])}}else if(t[0]==`o`&&t[1]==`n`)typeof n!=`function`&&(n=null),typeof r!=`function`&&(r=null),(e.__e||={})[t]=n,n&&r||(o=u[t]||(u[t]=j(t)),(e.__a||={})[t]=l,a=t!=(t=t.replace(c,`$1`)),(t=t.slice(2))[0]<`a`&&(t=t.toLowerCase()),n?e.addEventListener(t,o,a):e.removeEventListener(t,o,a));else{if(i==`http://www.w3.org/2000/svg`)t=t.replace(/xlink(H|:h)/,`h`).replace(/sName$/,`s`);else if(t!=`width`&&t!=`height`&&t!=`href`&&t!=`list`&&t!=`form`&&t!=`tabIndex`&&t!=`download`&&t!=`rowSpan`&&t!=`colSpan`&&t!=`role`&&t!=`popover`&&t in e)try{e[t]=n??``;return}catch{}if(typeof n==`function`)return;n==null||!1===n&&t[4]!=`-`?e.removeAttribute(t):e.setAttribute(t,t==`popover`&&n==1?``:n)}}function j(t){return function(n){var r=this.__e;if(r){if(r=r[t],n[s]==null)n[s]=l++;else if(n[s]<this.__a[t])return;return r(e.event?e.event(n):n)}}}function re(t,n,r,i,a,o,s,c,l,u){var f,m,g,y,b,w,T,E,D,O,k,te,ne,A,j,re,M,N,P=n.type;if(n.constructor!==d)return null;128&r.__u&&(l=32&r.__u,f=r.__c.__z)&&(n.__u|=l,m=o=[],f.nodeType==8?c=ie(f,o):o.push(f),c=o[0]||c),(f=e.__b)&&f(n);n:if(typeof P==`function`){g=s.length;try{if(E=n.props,D=(f=P.prototype)&&f.render,O=(f=P.contextType)&&i[f.__c],k=f?O?O.props.value:f.__:i,(y=r.__c)?(n.__c=y,2&y.__g&&(y.__g|=1)):(D?n.__c=y=new P(E,k):(n.__c=y=new S(E,k),y.constructor=P,y.render=ce),O&&O.sub(y),y.state||(y.state={}),y.__n=i,y.__g|=8,y.__h=[],y.__k=[]),D&&(y.__s||(y.__s=y.state),P.getDerivedStateFromProps&&(y.__s==y.state&&(y.__s=_({},y.__s)),_(y.__s,P.getDerivedStateFromProps(E,y.__s)))),b=y.props,w=y.state,y.__v=n,r.__c){if(E!==b&&D&&!P.getDerivedStateFromProps&&y.componentWillReceiveProps&&y.componentWillReceiveProps(E,k),n.__v==r.__v&&!(8&y.__g)||!(4&y.__g)&&y.shouldComponentUpdate&&!1===y.shouldComponentUpdate(E,y.__s,k)){n.__v!=r.__v&&(y.props=E,y.state=y.__s,y.__g&=-9),n.__e=r.__e,n.__k=r.__k,n.__k.some(function(e){e&&(e.__=n)}),p.push.apply(y.__h,y.__k),y.__k=[],y.__h.length&&s.push(y),c=C(r);break n}y.componentWillUpdate&&y.componentWillUpdate(E,y.__s,k),D&&y.componentDidUpdate&&y.__h.push(function(){y.componentDidUpdate(b,w,T)})}else D&&!P.getDerivedStateFromProps&&y.componentWillMount&&y.componentWillMount(),D&&y.componentDidMount&&y.__h.push(y.componentDidMount);y.context=k,y.props=E,y.__P=t,y.__g&=-5,te=e.__r,ne=D?25:0;do y.__g&=-9,te&&te(n),f=y.render(y.props,y.state=y.__s,y.context);while(8&y.__g&&++ne<25);D&&(p.push.apply(y.__h,y.__k),y.__k=[]),y.state=y.__s,y.getChildContext&&(i=_({},i,y.getChildContext())),D&&r.__c&&y.getSnapshotBeforeUpdate&&(T=y.getSnapshotBeforeUpdate(b,w)),A=f&&f.type===x&&f.key==null?f.props.children:f,E.__P&&(f=c,a=(t=E.__P).namespaceURI,l=o=null,r.props&&r.props.__P!=t&&(r.__k.some(function(e){e&&se(e,e)}),r.__k=null),c=r.__k?C(r,0):null),c=ee(t,h(A)?A:[A],n,r,i,a,o,s,c,l,u),E.__P&&(n.__e=null,c=f),n.__u&=-161,m&&m.some(v),y.__h.length&&s.push(y),1&y.__g&&(y.__g&=-4)}catch(t){if(s.length=g,n.__v=null,l||o){if(t&&t.then){if(n.__u|=128|l,o){for(~(M=o.indexOf(c||void 0))||(M=o.length);(N=o[M-1])&&N.nodeType==8;)M--;for(;M<o.length;M++)if(N=o[M]){if(o[M]=null,j){if(N==re)break}else{if(N.nodeType!=8)break;N.data.startsWith(`$s`)&&(re=ie(j=N))}}}if(!j){for(;c&&c.nodeType==8&&c.nextSibling;)c=c.nextSibling;j=c}(f=ie(j=n.__c.__z||(n.__c.__z=j)))?(n.__e=j,c=f):n.__e=c,c&&=c.nextSibling}else o&&o.some(v)}else n.__e=r.__e;n.__k||=r.__k||[],t&&t.then||ae(n),e.__e(t,n,r)}}else c=n.__e=oe(r.__e,n,r,i,a,o,s,l,u,t);return(f=e.diffed)&&f(n),c}function ie(e,t){if(e&&e.nodeType==8&&e.data.startsWith(`$s`))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith(`$s`))n++;else if(e.data.startsWith(`/$s`)&&!--n)return e}t&&t.push(e)}}function ae(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(ae))}function M(t,n,r){for(var i=0;i<r.length;)N(r[i++],r[i++],r[i++]);e.__c&&e.__c(n,t),t.some(function(n){try{t=n.__h,n.__h=[],t.some(function(e){e.call(n)})}catch(t){e.__e(t,n.__v)}})}function oe(t,n,r,i,a,o,s,c,l,u){var d,p,_,y,b,x,S,w,T=r.props||f,E=n.props,D=n.type;if(D==`svg`?a=`http://www.w3.org/2000/svg`:D==`math`?a=`http://www.w3.org/1998/Math/MathML`:a||=`http://www.w3.org/1999/xhtml`,o){for(d=0;d<o.length;d++)if((b=o[d])&&(D?b.localName==D:b.nodeType==3)){t=b,o[d]=null;break}}if(!t){if(w=u.ownerDocument||document,!D)return w.createTextNode(E);t=w.createElementNS(a,D,E.is?E:u),c&&=(e.__m&&e.__m(n,o),!1),o=null}if(D){if(u=D==`template`&&t.content||t,o=D==`textarea`&&E.defaultValue!=null?null:o&&g.call(u.childNodes),!c&&o)for(T={},d=0;d<t.attributes.length;d++)T[(b=t.attributes[d]).name]=b.value;for(d in T)b=T[d],d==`dangerouslySetInnerHTML`?_=b:d==`children`||d in E||d==`value`&&`defaultValue`in E||d==`checked`&&`defaultChecked`in E||A(t,d,null,b,a);for(d in E)b=E[d],d==`children`?y=b:d==`dangerouslySetInnerHTML`?p=b:d==`value`?x=b:d==`checked`?S=b:c&&typeof b!=`function`||T[d]===b||A(t,d,b,T[d],a);p?(c||_&&(p.__html==_.__html||p.__html==t.innerHTML)||(t.innerHTML=p.__html),n.__k=[]):(_&&(t.textContent=``),(D==`foreignObject`||a==`http://www.w3.org/1998/Math/MathML`&&m.test(D))&&(a=`http://www.w3.org/1999/xhtml`),ee(u,h(y)?y:[y],n,r,i,a,o,s,o?o[0]:r.__k&&C(r,0),c,l),o&&o.some(v)),c&&D!=`textarea`||(d=`value`,D==`progress`&&x==null?t.removeAttribute(d):x==null||x===t[d]&&(D!=`progress`||x)||A(t,d,x,T[d],a),d=`checked`,S!=null&&S!=t[d]&&A(t,d,S,T[d],a))}else T===E||c&&t.data==E||(t.data=E);return t}function N(t,n,r,i){try{typeof t==`function`?n?n.__x=t(n)||1:(i&&=i.__c||i.__e)&&(n=i.__x)&&(i.__x=null,typeof n==`function`?n():t(null)):t.current=n}catch(t){e.__e(t,r)}}function se(t,n,r){var i,a,o,s;if(e.unmount&&e.unmount(t),!(i=t.ref)||i.current&&i.current!=t.__e||N(i,null,n,t),i=t.__c){if(i.componentWillUnmount)try{i.componentWillUnmount()}catch(t){e.__e(t,n)}i.__P=i.__n=null}if(i=t.__k)for(s=0;s<i.length;s++)i[s]&&se(i[s],n,typeof t.type!=`function`||r&&!t.props.__P);!r&&(i=t.__c)&&(i=i.__z)&&(a=ie(i,o=[]))&&(i==t.__e&&o.some(v),v(a),v(i)),r||v(t.__e),t.__e=t.__c=t.__=null}function ce(e,t,n){return this.constructor(e,n)}function P(t,n){var r,i,a,o;e.__&&e.__(t,n),n.nodeType==9&&(n=n.documentElement),i=(r=t&&32&t.__u)?null:n.__k,n.__k=b(x,{children:[t]}),a=[],o=[],re(n,n.__k,i||f,f,n.namespaceURI,i?null:n.firstChild?g.call(n.childNodes):null,a,i?i.__e:n.firstChild,r,o),M(a,n.__k,o),n.__k.props.children=null}e={__e:function(e,t,n,r){for(var i,o,s;t=t.__;)if((i=t.__c)&&!(1&i.__g)){i.__g|=4;try{if((s=(o=i.constructor)&&o.getDerivedStateFromError)&&i.setState(o.getDerivedStateFromError(e)),i.componentDidCatch&&(i.componentDidCatch(e,r||{}),s=1),s&&8&i.__g)return void(i.__g|=2)}catch(t){e=t}}throw a=0,e}},t=0,n=function(e){return e!=null&&e.constructor===d},S.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=_({},this.state)),typeof e==`function`&&(e=e(_({},n),this.props)),e&&(_(n,e),this.__v&&(t&&this.__k.push(t),E(this)))},S.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),E(this))},S.prototype.render=x,r=[],a=0,o=function(e,t){return e.__v.__b-t.__v.__b},s=Symbol(),c=/(PointerCapture)$|Capture$/i,l=0,u={};var F,I,le,ue,de=Object.is,fe=0,pe=[],me=[],L=e,he=L.__b,ge=L.__r,_e=L.diffed,ve=L.__c,ye=L.unmount,be=L.__;function R(e,t){L.__h&&L.__h(I,e,fe||t),fe=0;var n=I.__H||(I.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function xe(e){return fe=1,Se(Pe,e)}function Se(e,t,n){var r=R(F++,2);if(r.t=e,!r.__c&&(r.__=[n?n(t):Pe(void 0,t),function(e){var t=(r.__N||r.__)[0],n=r.t(t,e);de(t,n)||(r.__N=[n,r.__[1]],r.__c.setState({}))}],r.__c=I,!I.__f)){I.__f=!0;var i=I.shouldComponentUpdate;I.shouldComponentUpdate=function(e,t,n){var r=this.__H;if(!r)return!0;var a=!1,o=this.props!=e;if(r.__.some(function(e){e.__N&&(a=!0,de(e.__[0],e.__N[0])||(o=!0))}),i){var s=i.call(this,e,t,n);return a?s||o:s}return!a||o}}return r.__}function Ce(e,t){var n=R(F++,3);!L.__s&&Ne(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,I.__H.__h.push(n))}function we(e,t){var n=R(F++,4);!L.__s&&Ne(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,I.__h.push(n))}function Te(e){return fe=5,Ee(function(){return{current:e}},[])}function Ee(e,t){var n=R(F++,7);return Ne(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function De(){var e=R(F++,11);if(!e.__){for(var t=I.__v;!t.__m&&t.__;)t=t.__;var n=t.__m||(t.__m=[0,0]);e.__=`P`+n[0]+`-`+n[1]++}return e.__}function Oe(){var e;do{for(;e=me.shift();)try{z(e)}catch(t){L.__e(t,{__:(e=e.__P)&&e.__v})}for(;e=pe.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(z),t.__h.some(Me),t.__h=[]}catch(n){t.__h=[],L.__e(n,e.__v)}}}while(me.length)}L.__b=function(e){I=null,he&&he(e)},L.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),be&&be(e,t)},L.__r=function(e){ge&&ge(e),F=0;var t=(I=e.__c).__H;t&&(le==I?I.__h=[]:(t.__h.some(z),t.__h.some(Me),F=0),t.__h=[],t.__.some(function(e){e.__N&&(e.__=e.__N),e.u=e.__N=void 0})),le=I},L.diffed=function(e){_e&&_e(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&je(pe.push(t)),t.__H.__.some(function(e){e.u&&(e.__H=e.u)})),le=I=null},L.__c=function(e,t){t.some(function(e){try{e.__h.some(z),e.__h=e.__h.filter(function(e){return!e.__||Me(e)})}catch(t){e.__h=[function(){throw t}]}}),ve&&ve(e,t)},L.unmount=function(e){ye&&ye(e);var t,n,r=e.__c;r&&r.__H&&(r.__H.__.some(function(r){try{if(r.__P&&r.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n&&=n.__c}r.__P=n,je(me.push(r))}else z(r)}catch(e){t=e}}),r.__H=void 0,t&&L.__e(t,r.__v))};var ke=typeof requestAnimationFrame==`function`;function Ae(e){var t,n=function(){clearTimeout(r),ke&&cancelAnimationFrame(t),setTimeout(e)},r=setTimeout(n,35);ke&&(t=requestAnimationFrame(n))}function je(e){e!=1&&ue==L.requestAnimationFrame||((ue=L.requestAnimationFrame)||Ae)(Oe)}function z(e){var t=I,n=e.__c;typeof n==`function`&&(e.__c=void 0,n()),I=t}function Me(e){var t=I;e.__c=e.__(),I=t}function Ne(e,t){return!e||e.length!=t.length||t.some(function(t,n){return!de(t,e[n])})}function Pe(e,t){return typeof t==`function`?t(e):t}var B=class{constructor(e){this.value=e}valueOf(){return this.value}},V=class extends B{constructor(e=`???`){super(e)}toString(e){return`{${this.value}}`}},H=class extends B{constructor(e,t={}){super(e),this.opts=t}toString(e){if(e)try{return e.memoizeIntlObject(Intl.NumberFormat,this.opts).format(this.value)}catch(t){e.reportError(t)}return this.value.toString(10)}},U=class e extends B{static supportsValue(t){if(typeof t==`number`||t instanceof Date)return!0;if(t instanceof B)return e.supportsValue(t.valueOf());if(`Temporal`in globalThis){let e=globalThis.Temporal;if(t instanceof e.Instant||t instanceof e.PlainDateTime||t instanceof e.PlainDate||t instanceof e.PlainMonthDay||t instanceof e.PlainTime||t instanceof e.PlainYearMonth)return!0}return!1}constructor(t,n={}){t instanceof e?(n={...t.opts,...n},t=t.value):t instanceof B&&(t=t.valueOf()),typeof t==`object`&&`calendarId`in t&&n.calendar===void 0&&(n={...n,calendar:t.calendarId}),super(t),this.opts=n}[Symbol.toPrimitive](e){return e===`string`?this.toString():this.toNumber()}toNumber(){let e=this.value;if(typeof e==`number`)return e;if(e instanceof Date)return e.getTime();if(`epochMilliseconds`in e)return e.epochMilliseconds;if(`toZonedDateTime`in e)return e.toZonedDateTime(`UTC`).epochMilliseconds;throw TypeError(`Unwrapping a non-number value as a number`)}toString(e){if(e)try{return e.memoizeIntlObject(Intl.DateTimeFormat,this.opts).format(this.value)}catch(t){e.reportError(t)}return typeof this.value==`number`||this.value instanceof Date?new Date(this.value).toISOString():this.value.toString()}},Fe=100,Ie=`⁨`,Le=`⁩`;function Re(e,t,n){return n===t||n instanceof H&&t instanceof H&&n.value===t.value||t instanceof H&&typeof n==`string`&&n===e.memoizeIntlObject(Intl.PluralRules,t.opts).select(t.value)}function ze(e,t,n){return t[n]?G(e,t[n].value):(e.reportError(RangeError(`No default`)),new V)}function Be(e,t){let n=[],r=Object.create(null);for(let i of t)i.type===`narg`?r[i.name]=W(e,i.value):n.push(W(e,i));return{positional:n,named:r}}function W(e,t){switch(t.type){case`str`:return t.value;case`num`:return new H(t.value,{minimumFractionDigits:t.precision});case`var`:return Ve(e,t);case`mesg`:return He(e,t);case`term`:return Ue(e,t);case`func`:return We(e,t);case`select`:return Ge(e,t);default:return new V}}function Ve(e,{name:t}){let n;if(e.params){if(Object.prototype.hasOwnProperty.call(e.params,t))n=e.params[t];else return new V(`$${t}`)}else if(e.args&&Object.prototype.hasOwnProperty.call(e.args,t))n=e.args[t];else return e.reportError(ReferenceError(`Unknown variable: $${t}`)),new V(`$${t}`);if(n instanceof B)return n;switch(typeof n){case`string`:return n;case`number`:return new H(n);case`object`:if(U.supportsValue(n))return new U(n);default:return e.reportError(TypeError(`Variable type not supported: $${t}, ${typeof n}`)),new V(`$${t}`)}}function He(e,{name:t,attr:n}){let r=e.bundle._messages.get(t);if(!r)return e.reportError(ReferenceError(`Unknown message: ${t}`)),new V(t);if(n){let i=r.attributes[n];return i?G(e,i):(e.reportError(ReferenceError(`Unknown attribute: ${n}`)),new V(`${t}.${n}`))}return r.value?G(e,r.value):(e.reportError(ReferenceError(`No value: ${t}`)),new V(t))}function Ue(e,{name:t,attr:n,args:r}){let i=`-${t}`,a=e.bundle._terms.get(i);if(!a)return e.reportError(ReferenceError(`Unknown term: ${i}`)),new V(i);if(n){let t=a.attributes[n];if(t){e.params=Be(e,r).named;let n=G(e,t);return e.params=null,n}return e.reportError(ReferenceError(`Unknown attribute: ${n}`)),new V(`${i}.${n}`)}e.params=Be(e,r).named;let o=G(e,a.value);return e.params=null,o}function We(e,{name:t,args:n}){let r=e.bundle._functions[t];if(!r)return e.reportError(ReferenceError(`Unknown function: ${t}()`)),new V(`${t}()`);if(typeof r!=`function`)return e.reportError(TypeError(`Function ${t}() is not callable`)),new V(`${t}()`);try{let t=Be(e,n);return r(t.positional,t.named)}catch(n){return e.reportError(n),new V(`${t}()`)}}function Ge(e,{selector:t,variants:n,star:r}){let i=W(e,t);if(i instanceof V)return ze(e,n,r);for(let t of n)if(Re(e,i,W(e,t.key)))return G(e,t.value);return ze(e,n,r)}function Ke(e,t){if(e.dirty.has(t))return e.reportError(RangeError(`Cyclic reference`)),new V;e.dirty.add(t);let n=[],r=e.bundle._useIsolating&&t.length>1;for(let i of t)if(typeof i==`string`)n.push(e.bundle._transform(i));else{if(e.placeables++,e.placeables>Fe)throw e.dirty.delete(t),RangeError(`Too many placeables expanded: ${e.placeables}, max allowed is ${Fe}`);r&&n.push(Ie),n.push(W(e,i).toString(e)),r&&n.push(Le)}return e.dirty.delete(t),n.join(``)}function G(e,t){return typeof t==`string`?e.bundle._transform(t):Ke(e,t)}var qe=class{constructor(e,t,n){this.dirty=new WeakSet,this.params=null,this.placeables=0,this.bundle=e,this.errors=t,this.args=n}reportError(e){if(!this.errors||!(e instanceof Error))throw e;this.errors.push(e)}memoizeIntlObject(e,t){let n=this.bundle._intls.get(e);n||(n={},this.bundle._intls.set(e,n));let r=JSON.stringify(t);return n[r]||(n[r]=new e(this.bundle.locales,t)),n[r]}};function Je(e,t){let n=Object.create(null);for(let[r,i]of Object.entries(e))t.includes(r)&&(n[r]=i.valueOf());return n}var Ye=[`unitDisplay`,`currencyDisplay`,`useGrouping`,`minimumIntegerDigits`,`minimumFractionDigits`,`maximumFractionDigits`,`minimumSignificantDigits`,`maximumSignificantDigits`];function Xe(e,t){let n=e[0];if(n instanceof V)return new V(`NUMBER(${n.valueOf()})`);if(n instanceof H)return new H(n.valueOf(),{...n.opts,...Je(t,Ye)});if(n instanceof U)return new H(n.toNumber(),{...Je(t,Ye)});throw TypeError(`Invalid argument to NUMBER`)}var Ze=[`dateStyle`,`timeStyle`,`fractionalSecondDigits`,`dayPeriod`,`hour12`,`weekday`,`era`,`year`,`month`,`day`,`hour`,`minute`,`second`,`timeZoneName`];function Qe(e,t){let n=e[0];if(n instanceof V)return new V(`DATETIME(${n.valueOf()})`);if(n instanceof U||n instanceof H)return new U(n,Je(t,Ze));throw TypeError(`Invalid argument to DATETIME`)}var $e=new Map;function et(e){let t=Array.isArray(e)?e.join(` `):e,n=$e.get(t);return n===void 0&&(n=new Map,$e.set(t,n)),n}var tt=class{constructor(e,{functions:t,useIsolating:n=!0,transform:r=e=>e}={}){this._terms=new Map,this._messages=new Map,this.locales=Array.isArray(e)?e:[e],this._functions={NUMBER:Xe,DATETIME:Qe,...t},this._useIsolating=n,this._transform=r,this._intls=et(e)}hasMessage(e){return this._messages.has(e)}getMessage(e){return this._messages.get(e)}addResource(e,{allowOverrides:t=!1}={}){let n=[];for(let r=0;r<e.body.length;r++){let i=e.body[r];if(i.id.startsWith(`-`)){if(t===!1&&this._terms.has(i.id)){n.push(Error(`Attempt to override an existing term: "${i.id}"`));continue}this._terms.set(i.id,i)}else{if(t===!1&&this._messages.has(i.id)){n.push(Error(`Attempt to override an existing message: "${i.id}"`));continue}this._messages.set(i.id,i)}}return n}formatPattern(e,t=null,n=null){if(typeof e==`string`)return this._transform(e);let r=new qe(this,n,t);try{return Ke(r,e).toString(r)}catch(e){if(r.errors&&e instanceof Error)return r.errors.push(e),new V().toString(r);throw e}}},nt=/^(-?[a-zA-Z][\w-]*) *= */gm,rt=/\.([a-zA-Z][\w-]*) *= */y,it=/\*?\[/y,at=/(-?[0-9]+(?:\.([0-9]+))?)/y,ot=/([a-zA-Z][\w-]*)/y,st=/([$-])?([a-zA-Z][\w-]*)(?:\.([a-zA-Z][\w-]*))?/y,ct=/^[A-Z][A-Z0-9_-]*$/,lt=/([^{}\n\r]+)/y,ut=/([^\\"\n\r]*)/y,dt=/\\([\\"])/y,ft=/\\u([a-fA-F0-9]{4})|\\U([a-fA-F0-9]{6})/y,pt=/^\n+/,mt=/ +$/,ht=/ *\r?\n/g,gt=/( *)$/,_t=/{\s*/y,vt=/\s*}/y,yt=/\[\s*/y,bt=/\s*] */y,xt=/\s*\(\s*/y,St=/\s*->\s*/y,Ct=/\s*:\s*/y,wt=/\s*,?\s*/y,Tt=/\s+/y,Et=class{constructor(e){this.body=[],nt.lastIndex=0;let t=0;for(;;){let n=nt.exec(e);if(n===null)break;t=nt.lastIndex;try{this.body.push(s(n[1]))}catch(e){if(e instanceof SyntaxError)continue;throw e}}function n(n){return n.lastIndex=t,n.test(e)}function r(n,r){if(e[t]===n)return t++,!0;if(r)throw new r(`Expected ${n}`);return!1}function i(e,r){if(n(e))return t=e.lastIndex,!0;if(r)throw new r(`Expected ${e.toString()}`);return!1}function a(n){n.lastIndex=t;let r=n.exec(e);if(r===null)throw SyntaxError(`Expected ${n.toString()}`);return t=n.lastIndex,r}function o(e){return a(e)[1]}function s(e){let t=l(),n=c();if(t===null&&Object.keys(n).length===0)throw SyntaxError(`Expected message value or attributes`);return{id:e,value:t,attributes:n}}function c(){let e=Object.create(null);for(;n(rt);){let t=o(rt),n=l();if(n===null)throw SyntaxError(`Expected attribute value`);e[t]=n}return e}function l(){let r;if(n(lt)&&(r=o(lt)),e[t]===`{`||e[t]===`}`)return u(r?[r]:[],1/0);let i=x();return i?r?u([r,i],i.length):(i.value=S(i.value,pt),u([i],i.length)):r?S(r,mt):null}function u(r=[],i){for(;;){if(n(lt)){r.push(o(lt));continue}if(e[t]===`{`){r.push(d());continue}if(e[t]===`}`)throw SyntaxError(`Unbalanced closing brace`);let a=x();if(a)r.push(a),i=Math.min(i,a.length);else break}let a=r.length-1,s=r[a];typeof s==`string`&&(r[a]=S(s,mt));let c=[];for(let e of r)e instanceof Dt&&(e=e.value.slice(0,e.value.length-i)),e&&c.push(e);return c}function d(){i(_t,SyntaxError);let e=f();if(i(vt))return e;if(i(St)){let t=h();return i(vt,SyntaxError),{type:`select`,selector:e,...t}}throw SyntaxError(`Unclosed placeable`)}function f(){if(e[t]===`{`)return d();if(n(st)){let[,e,t,n=null]=a(st);if(e===`$`)return{type:`var`,name:t};if(i(xt)){let r=p();if(e===`-`)return{type:`term`,name:t,attr:n,args:r};if(ct.test(t))return{type:`func`,name:t,args:r};throw SyntaxError(`Function names must be all upper-case`)}return e===`-`?{type:`term`,name:t,attr:n,args:[]}:{type:`mesg`,name:t,attr:n}}return _()}function p(){let n=[];for(;;){switch(e[t]){case`)`:return t++,n;case void 0:throw SyntaxError(`Unclosed argument list`)}n.push(m()),i(wt)}}function m(){let e=f();return e.type===`mesg`&&i(Ct)?{type:`narg`,name:e.name,value:_()}:e}function h(){let e=[],t=0,i;for(;n(it);){r(`*`)&&(i=t);let n=g(),a=l();if(a===null)throw SyntaxError(`Expected variant value`);e[t++]={key:n,value:a}}if(t===0)return null;if(i===void 0)throw SyntaxError(`Expected default variant`);return{variants:e,star:i}}function g(){i(yt,SyntaxError);let e;return e=n(at)?v():{type:`str`,value:o(ot)},i(bt,SyntaxError),e}function _(){if(n(at))return v();if(e[t]===`"`)return y();throw SyntaxError(`Invalid expression`)}function v(){let[,e,t=``]=a(at),n=t.length;return{type:`num`,value:parseFloat(e),precision:n}}function y(){r(`"`,SyntaxError);let n=``;for(;;)if(n+=o(ut),e[t]===`\\`)n+=b();else{if(r(`"`))return{type:`str`,value:n};throw SyntaxError(`Unclosed string literal`)}}function b(){if(n(dt))return o(dt);if(n(ft)){let[,e,t]=a(ft),n=parseInt(e||t,16);return n<=55295||57344<=n?String.fromCodePoint(n):`�`}throw SyntaxError(`Unknown escape sequence`)}function x(){let n=t;switch(i(Tt),e[t]){case`.`:case`[`:case`*`:case`}`:case void 0:return!1;case`{`:return C(e.slice(n,t))}return e[t-1]===` `&&C(e.slice(n,t))}function S(e,t){return e.replace(t,``)}function C(e){let t=e.replace(ht,`
`),n=gt.exec(e)[1].length;return new Dt(t,n)}}},Dt=class{constructor(e,t){this.value=e,this.length=t}},Ot=Symbol.for(`preact-signals`);function kt(){if(q>1)q--;else{var e,t=!1;for((function(){var e=Lt;for(Lt=void 0;e!==void 0;){var t=e.S;if(t.v===e.v)for(var n=t.t;n!==void 0;n=n.x)n.i===e.i&&(n.i=t.i);e=e.o}})();Nt!==void 0;){var n=Nt;for(Nt=void 0,Pt++;n!==void 0;){var r=n.u;if(n.u=void 0,n.f&=-3,!(8&n.f)&&Vt(n))try{n.c()}catch(n){t||=(e=n,!0)}n=r}}if(Pt=0,q--,t)throw e}}function At(e){if(q>0)return e();It=++Ft,q++;try{return e()}finally{kt()}}var jt,K=void 0;function Mt(e){var t=K,n=jt;K=void 0,jt=void 0;try{return e()}finally{K=t,jt=n}}var Nt=void 0,q=0,Pt=0,Ft=0,It=0,Lt=void 0,Rt=0;function zt(e){if(K!==void 0){var t=e.n;if(t===void 0||t.t!==K)return t={i:0,S:e,p:K.s,n:void 0,t:K,e:void 0,x:void 0,r:t},K.s!==void 0&&(K.s.n=t),K.s=t,e.n=t,32&K.f&&e.S(t),t;if(t.i===-1)return t.i=0,t.n!==void 0&&(t.n.p=t.p,t.p!==void 0&&(t.p.n=t.n),t.p=K.s,t.n=void 0,K.s.n=t,K.s=t),t}}function J(e,t){this.v=e,this.i=0,this.n=void 0,this.t=void 0,this.l=0,this.W=t?.watched,this.Z=t?.unwatched,this.name=t?.name}J.prototype.brand=Ot,J.prototype.h=function(){return!0},J.prototype.S=function(e){var t=this,n=this.t;n!==e&&e.e===void 0&&(e.x=n,this.t=e,n===void 0?Mt(function(){var e;(e=t.W)==null||e.call(t)}):n.e=e)},J.prototype.U=function(e){var t=this;if(this.t!==void 0){var n=e.e,r=e.x;n!==void 0&&(n.x=r,e.e=void 0),r!==void 0&&(r.e=n,e.x=void 0),e===this.t&&(this.t=r,r===void 0&&Mt(function(){var e;(e=t.Z)==null||e.call(t)}))}},J.prototype.subscribe=function(e){var t=this;return Z(function(){var n=t.value;Mt(function(){return e(n)})},{name:`sub`})},J.prototype.valueOf=function(){return this.value},J.prototype.toString=function(){return this.value+``},J.prototype.toJSON=function(){return this.value},J.prototype.peek=function(){var e=this;return Mt(function(){return e.value})},Object.defineProperty(J.prototype,"value",{get:function(){var e=zt(this);return e!==void 0&&(e.i=this.i),this.v},set:function(e){if(e!==this.v){if(Pt>100)throw Error(`Cycle detected`);(function(e){q!==0&&Pt===0&&e.l!==It&&(e.l=It,Lt={S:e,v:e.v,i:e.i,o:Lt})})(this),this.v=e,this.i++,Rt++,q++;try{for(var t=this.t;t!==void 0;t=t.x)t.t.N()}finally{kt()}}}});function Bt(e,t){return new J(e,t)}function Vt(e){for(var t=e.s;t!==void 0;t=t.n)if(t.S.i!==t.i||!t.S.h()||t.S.i!==t.i)return!0;return!1}function Ht(e){for(var t=e.s;t!==void 0;t=t.n){var n=t.S.n;if(n!==void 0&&(t.r=n),t.S.n=t,t.i=-1,t.n===void 0){e.s=t;break}}}function Ut(e){for(var t=e.s,n=void 0;t!==void 0;){var r=t.p;t.i===-1?(t.S.U(t),r!==void 0&&(r.n=t.n),t.n!==void 0&&(t.n.p=r)):n=t,t.S.n=t.r,t.r!==void 0&&(t.r=void 0),t=r}e.s=n}function Y(e,t){J.call(this,void 0,t),this.x=e,this.s=void 0,this.g=Rt-1,this.f=4}Y.prototype=new J,Y.prototype.h=function(){if(this.f&=-3,1&this.f)return!1;if((36&this.f)==32||(this.f&=-5,this.g===Rt))return!0;if(this.g=Rt,this.f|=1,this.i>0&&!Vt(this))return this.f&=-2,!0;var e=K;try{Ht(this),K=this;var t=this.x();(16&this.f||this.v!==t||this.i===0)&&(this.v=t,this.f&=-17,this.i++)}catch(e){this.v=e,this.f|=16,this.i++}return K=e,Ut(this),this.f&=-2,!0},Y.prototype.S=function(e){if(this.t===void 0){this.f|=36;for(var t=this.s;t!==void 0;t=t.n)t.S.S(t)}J.prototype.S.call(this,e)},Y.prototype.U=function(e){if(this.t!==void 0&&(J.prototype.U.call(this,e),this.t===void 0)){this.f&=-33;for(var t=this.s;t!==void 0;t=t.n)t.S.U(t)}},Y.prototype.N=function(){if(!(2&this.f)){this.f|=6;for(var e=this.t;e!==void 0;e=e.x)e.t.N()}},Object.defineProperty(Y.prototype,"value",{get:function(){if(1&this.f)throw Error(`Cycle detected`);var e=zt(this);if(this.h(),e!==void 0&&(e.i=this.i),16&this.f)throw this.v;return this.v}});function Wt(e,t){return new Y(e,t)}function Gt(e){var t=e.j;if(e.j=void 0,typeof t==`function`){q++;var n=K;K=void 0;try{t()}catch(t){throw e.f&=-2,e.f|=8,Kt(e),t}finally{K=n,kt()}}}function Kt(e){for(var t=e.s;t!==void 0;t=t.n)t.S.U(t);e.x=void 0,e.s=void 0,Gt(e)}function qt(e){if(K!==this)throw Error(`Out-of-order effect`);Ut(this),K=e,this.f&=-2;try{8&this.f&&Kt(this)}finally{kt()}}function X(e,t){this.x=e,this.j=void 0,this.s=void 0,this.u=void 0,this.f=32,this.name=t?.name,jt&&jt.push(this)}X.prototype.c=function(){var e=this.S();try{if(8&this.f||this.x===void 0)return;var t=this.x();typeof t==`function`&&(this.j=t)}finally{e()}},X.prototype.S=function(){if(1&this.f)throw Error(`Cycle detected`);this.f|=1,this.f&=-9,Gt(this),Ht(this),q++;var e=K;return K=this,qt.bind(this,e)},X.prototype.N=function(){2&this.f||(this.f|=2,this.u=Nt,Nt=this)},X.prototype.d=function(){this.f|=8,1&this.f||Kt(this)},X.prototype.dispose=function(){this.d()};function Z(e,t){var n=new X(e,t);try{n.c()}catch(e){throw n.d(),e}var r=n.d.bind(n);return r[Symbol.dispose]=r,r}var Jt,Yt,Xt=typeof window<`u`&&!!window.__PREACT_SIGNALS_DEVTOOLS__,Zt=[];Z(function(){Jt=this.N})();function Q(t,n){e[t]=n.bind(null,e[t]||function(){})}function Qt(e){if(Yt){var t=Yt;Yt=void 0,t()}Yt=e&&e.S()}function $t(e){var t=this,r=e.data,i=tn(r);i.name=`ReactiveDom`,i.value=r;var a=Ee(function(){for(var e=t,r=t.__v;r=r.__;)if(r.__c){r.__c.__$f|=4;break}var a=Wt(function(){var e=i.value.value;return e===0?0:!0===e?``:e||``}),o=Wt(function(){return!Array.isArray(a.value)&&!n(a.value)}),s=Z(function(){if(this.N=an,o.value){var t=a.value;e.__v&&e.__v.__e&&e.__v.__e.nodeType===3&&(e.__v.__e.data=t)}}),c=t.__$u.d;return t.__$u.d=function(){s(),c.call(this)},[o,a]},[]),o=a[0],s=a[1];return o.value?s.peek():s.value}$t.displayName=`ReactiveTextNode`,Object.defineProperties(J.prototype,{constructor:{configurable:!0,value:y(x,null).constructor},type:{configurable:!0,value:$t},props:{configurable:!0,get:function(){var e=this;return{data:{get value(){return e.value}}}}},__b:{configurable:!0,value:1}}),Q(`__b`,function(e,t){if(Qt(),typeof t.type==`string`){var n,r=t.props;for(var i in r)if(i!==`children`){var a=r[i];a instanceof J&&(n||(t.__np=n={}),n[i]=a,r[i]=a.peek())}}e(t)}),Q(`__r`,function(e,t){if(e(t),t.type!==x){Qt();var n,r=t.__c;r&&(r.__$f&=-2,(n=r.__$u)===void 0&&(r.__$u=n=function(e,t){var n;return Z(function(){n=this},{name:t}),n.c=e,n}(function(e){return function(){var t;Xt&&((t=this.y)==null||t.call(this)),e.__$f|=1,e.setState({})}}(r),typeof t.type==`function`?t.type.displayName||t.type.name:``))),Qt(n)}}),Q(`__e`,function(e,t,n,r){Qt(),e(t,n,r)}),Q(`diffed`,function(e,t){Qt();var n;if(typeof t.type==`string`&&(n=t.__e)){var r=t.__np,i=t.props,a=n.U;if(a)for(var o in a){var s=a[o];s===void 0||r&&o in r||(s.d(),a[o]=void 0)}if(r)for(var c in a||(a={},n.U=a),r){var l=a[c],u=r[c];l===void 0?(l=en(n,c,u,i),a[c]=l):l.o(u,i)}}e(t)});function en(e,t,n,r){var i=t in e&&e.ownerSVGElement===void 0,a=Bt(n);return{o:function(e,t){a.value=e,r=t},d:Z(function(){this.N=an;var n=a.value.value;r[t]!==n&&(r[t]=n,i?e[t]=n:n!=null&&(!1!==n||t[4]===`-`)?e.setAttribute(t,n):e.removeAttribute(t))})}}Q(`unmount`,function(e,t){if(typeof t.type==`string`){var n=t.__e;if(n){var r=n.U;if(r)for(var i in n.U=void 0,r){var a=r[i];a&&a.d()}}var o=t.__np;if(o){var s=t.props;for(var c in o)s[c]=o[c]}t.__np=void 0}else{var l=t.__c;if(l){l.__$f|=8;var u=l.__$u;u&&(l.__$u=void 0,u.d())}}e(t)}),Q(`__h`,function(e,t,n,r){r<3&&(t.__$f|=2),e(t,n,r)}),S.prototype.shouldComponentUpdate=function(e,t){if(this.__R)return!0;var n=this.__$u,r=n&&n.s!==void 0;for(var i in t)return!0;if(this.__f||typeof this.u==`boolean`&&!0===this.u){var a=2&this.__$f;if(!(r||a||4&this.__$f)||1&this.__$f)return!0}else if(!(r||4&this.__$f)||3&this.__$f)return!0;for(var o in e)if(o!==`__source`&&e[o]!==this.props[o])return!0;for(var s in this.props)if(!(s in e))return!0;return!1};function tn(e,t){return Ee(function(){return Bt(e,t)},[])}var nn=function(e){queueMicrotask(function(){queueMicrotask(e)})};function rn(){At(function(){for(var e;e=Zt.shift();)Jt.call(e)})}function an(){Zt.push(this)===1&&(e.requestAnimationFrame||nn)(rn)}var on=/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g;function sn(e){return e.replace(on,e=>`[U+${e.charCodeAt(0).toString(16).toUpperCase().padStart(4,`0`)}]`)}var cn=`[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]`,ln=new RegExp(cn,`u`),un=RegExp(`${cn}(?:\\s*${cn})*`,`gu`),dn=`⁨`,fn=`⁩`;function pn(e){let t=sn(e);return ln.test(t)?dn+t+fn:t}function mn(e){return sn(e).replace(un,e=>dn+e+fn)}var hn=/^[\u2066-\u2068]?co-?op([ée]rative)?(?![\p{L}\d])/iu,gn=/(?<![\p{L}\d])co-?op([ée]rative)?\u2069?$/iu,_n=/^[\u2066-\u2068]?((l[ae]s?|the)\s|l['’])/iu;function vn(e,t){return hn.test(e)||gn.test(e)&&!_n.test(e)?e:`${t} ${e}`}var yn=`### The sentences of the pages. Both languages have the same codes.

## The frame of every view.

skip = Skip to the content
menu = Menu
loading = One moment…
reload = Reload the page
view-not-loaded = This part of the page could not be loaded. The pool does not answer, or it has just been updated. Reload the page.
never = never
sign-in = Sign in
sign-out = Sign out
view-pool = The pool
view-signin = Sign in
view-sessions = My sessions
view-unknown = Unknown page
unknown-title = There is no page at this address
unknown-back = Back to the pool
foot-open = Entraide is free software.
foot-private = This page loads nothing from elsewhere and does not measure your visit.

## The errors that the page notices itself.

error-unreachable = The pool does not answer. Check your connection, then try again; if nothing changes, write to the operator.
error-status = The pool answered with an error ({ $status }). Try again; if nothing changes, write to the operator.
error-page = The page met an error ({ $detail }). Reload it; if nothing changes, write to the operator.

## The operator’s view: its frame, what needs a hand, invitations, machines.

view-operator = Operate
op-parts = Parts of the operator’s view
op-part-work = To do
op-part-machines = Machines
op-not-for-you = This page is for the pool’s operator and its auditors.
op-auditor = You see what the operator sees, and can change nothing.
op-cancel = Cancel
op-copy = Copy
op-copied = Copied.
op-copy-selected = Selected: copy it with Ctrl+C.
op-command = the command
op-coop = Co-op
op-work-title = What needs a hand
op-work-none = Nothing waits: no machine to approve, no quarantine, no old version.
op-approve = Approve
op-approved = { $name } is approved and may work.
op-revoke = Revoke
op-revoke-means = The machine is cut off at once, and what it works on goes to others. To come back it needs a new invitation.
op-revoked = { $name } is revoked.
op-end-quarantine = End the quarantine
op-cleared = { $name } is no longer in quarantine.
op-forget = Forget
op-forget-means = The machine’s record is deleted and its key revoked. The books keep what it gave. To come back it needs a new invitation.
op-forgotten = { $name } is forgotten.
op-vouch = Vouch
op-vouch-now = Record what I vouch for
op-vouched = What you vouch for { $name } counts from now on.
op-doctor-title = The pool’s machine
op-doctor-machine = The pool
op-doctor-checking = Checking ports, certificates, disk, clock and database…
op-doctor-good = { $count ->
    [0] No other check
    [one] One other check found no fault
   *[other] { $count } other checks found no fault
}
op-doctor-since = Since { $when }
op-notify-title = Messages to the operator
op-notify-try = Send a test message
op-notify-means = To each recipient of notify.toml.
op-notify-nobody = Nobody is told: notify.toml names no recipient.
op-notify-sent = { $recipient }: sent
op-notify-failed = { $recipient }: { $problem }
op-doctor-again = Check again
op-doctor-at = Checked on { $when }
op-backup-age = { $days ->
    [0] The last backup is less than a day old
    [one] The last backup is one day old
   *[other] The last backup is { $days } days old
} ({ $when }).
op-backup-none = No backup of this pool is known.
op-gateways = Gateways
op-gateways-lead = People and programs also reach the pool through these gateways, which run beside the scheduler’s own.
op-gateway-live = { $jobs ->
    [0] Live, with no request under way.
    [one] Live, with one request under way.
   *[other] Live, with { $jobs } requests under way.
}
op-gateway-silent = Silent since { $when }; the requests that it was answering have failed. The other gateways serve.
op-gateway-stopped = Stopped on { $when }, in good order.
op-gateway-version = Version { $version }
op-gateway-twice = Two processes use this name. Give each gateway a name of its own in its configuration file, then start it again.
op-remedy-gateway = Look at its log, and whether its machine reaches the bus.
op-part-grid = Power grid
op-days = Recent traffic
op-days-1 = of the last day
op-days-7 = of the last 7 days
op-days-31 = of the last 31 days
op-operation-until = It is ended on { $when } at the latest.
op-operation-cancel = Cancel it
op-operation-cancelled = Cancelled.
op-operation-failed = It failed. { $fault }
op-file-long = The file has more than 2.5 MB. Split it.
op-replay-policy = The requests from { $from } to { $until }, decided once under policy { $old } and once under { $now ->
    [none] the text that was tried
   *[other] { $now }
}.
op-replay-demand = The requests from { $from } to { $until }, once as they came and once with { $percent }% more, on the same machines.
op-replay-recorded = As recorded: { $served } of { $jobs } requests answered, { $tokens } tokens, { $energy } Wh; first word within { $first } s for 95% of them.
op-replay-simulated = Simulated under the same policy: { $served } of { $jobs } answered, { $tokens } tokens, { $energy } Wh; first word within { $first } s. The simulator repeats the past, so the comparison holds.
op-replay-read = Before → after; one figure where nothing changes. Both are simulated. Delays are those that 95% of the requests stay below.
op-replay-table = Before and after, by co-op
op-replay-all = All
op-replay-served = Answered
op-replay-refused = Refused or failed
op-replay-waited = Waiting (s)
op-replay-ttft = First word (s)
op-replay-carbon = CO2e (g)
op-replay-energy = Energy (Wh)
op-replay-kept = Promises kept (%)
op-replay-moved = On another machine
op-replay-save = Save the report
op-policy-try = What this text would have changed
op-policy-try-lead = Change the text, then try it on recent requests before it counts. The simulation runs beside the pool, only when the machine has nothing else to do, for an hour at most.
op-policy-try-now = Try this text
op-policy-trying = The recent requests are being replayed under both texts.
op-sim-lead = The recorded requests come once more, and a part of them again, on the same machines. The simulation runs beside the pool, only when the machine has nothing else to do, for an hour at most.
op-sim-running = The recorded requests are being replayed, once as they came and once with more.
op-sim-elsewhere = On another computer, or with other machines
op-sim-elsewhere-lead = A scenario file can be changed: one more machine, another price. It runs on a computer where Entraide is installed.
op-catalogue-lead = Machines load only a model whose weights are pinned, that is checked by checksum.
op-model-remove-means = The model leaves the catalogue: from now on the pool asks no machine to load it. Its weights stay on the disks.
op-model-removed = { $name } is no longer in the catalogue.
op-models-add = Add models
op-models-add-lead = A model of the same name is replaced.
op-models-file = File of entries
op-models-file-hint = JSON: one entry, a list of entries, or a whole catalogue.
op-models-add-now = Add from the file
op-models-shipped = Add what Entraide ships with
op-models-added = { $count ->
    [0] Nothing to add: all of them are in the catalogue.
    [one] One model was added.
   *[other] { $count } models were added.
}
op-models-no-entries = This file has no entries of models. It must be JSON: one entry with a name, a list of entries, or a catalogue.
op-pin-title = Pin a model
op-pin-lead = The pool records the checksums of the model’s weights, from the place that its entry names, and fetches them for its machines. That may take hours; the pool goes on.
op-pin-format = Format of the weights
op-pin-all = all
op-pin-revision = Revision
op-pin-revision-hint = Empty: the newest one.
op-pin-now = Pin the model
op-pinning = { $name } is being pinned.
op-pinned = { $name } is pinned.
op-grid-title = Carbon intensity now
op-grid-lead = The pool sends work to where electricity is cleanest. Each zone’s value comes from the source chosen here, else from the annual average.
op-grid-missing = chosen source has no data
op-grid-value = { $direct }\xA0g of CO2e per kWh; over the life cycle { $lifecycle }\xA0g.
op-grid-source = { $source }{ $year ->
    [none] {""}
   *[other] {" "}of { $year }
}{ $when ->
    [none] {""}
   *[other] , data of { $when }
}{ $hours ->
    [0] {""}
    [one] , forecast for one hour
   *[other] , forecast for { $hours } hours
}{ $file ->
    [none] {""}
   *[other] , file { $file }
}
op-grid-source-annual = annual average
op-grid-source-series = imported or configured hours
op-grid-source-electricity_maps = Electricity Maps, hour by hour
op-grid-source-configured = as pool.toml says
op-grid-choose = Choose a source
op-grid-new-source = New source
op-grid-choose-now = Choose this source
op-grid-chosen = The source of { $zone } counts from now on.
op-grid-token = Token of Electricity Maps
op-grid-token-hint = Empty: the one that the pool has. It is kept in a file of the pool’s and never shown.
op-grid-import = Import hours from a file
op-grid-import-lead = A CSV file with a column “utc”, or an export of Electricity Maps. The hours become the zone’s source at once, instead of those imported before.
op-grid-file = CSV file
op-grid-column = Column of the direct intensity
op-grid-column-hint = Empty: ci_direct_g_per_kwh, or the export’s own.
op-grid-years = Years to add to its times
op-grid-years-hint = To use an earlier year; the values are then marked as estimated.
op-grid-import-now = Import the hours
op-grid-imported = The hours of { $zone } count from now on.
op-invite-title = Invite a machine
op-invite-lead = The link serves once, for one machine. What you state here counts, whatever the machine says of itself.
op-invite-no-coop = First add a co-op.
op-invite = Make the invitation
op-invited = Invitation for { $coop }, valid until { $when }. Send this link to the person who looks after the machine; it is not shown again.
op-invite-link = the link
op-invite-line = Or, where Entraide is installed already:
op-site = Site
op-site-hint = Leave empty, and the machine names it itself.
op-zone = Zone of the power grid
op-zone-unknown = zone not stated{ $said ->
    [none] {""}
   *[other] {" "}(its owner says: { $said })
}
op-zone-none = not stated: a new machine gets no requests
op-hours = Valid
op-hours-1 = one hour
op-hours-24 = one day
op-hours-168 = one week
op-control = Who controls the machine
op-control-none = not stated
op-control-member = a member co-op
op-control-canadian = another Canadian organisation
op-control-other = somebody else
op-evidence = Evidence of its renewable surplus
op-evidence-none = none
op-evidence-certificate = renewable energy certificates
op-evidence-contract = power purchase agreement
op-evidence-meter = meter on site
op-evidence-invented = invented for the demonstration
op-document = Name or number of the document or meter
op-versions = By version
op-version-unknown = unknown
op-seek = Seek a machine or a site
op-seek-more = The first { $shown } are shown. Narrow the search.
op-state-waiting = To approve
op-state-revoked = Revoked
op-state-quarantined = In quarantine
op-state-live = Live
op-state-paused = Paused
op-state-suspect = Suspect
op-state-lost = Lost
op-state-left = Left
op-state-unseen = Never seen
op-node-version = { $version ->
    [none] Version unknown
   *[other] Version { $version }
}{ $when ->
    [none] {""}.
   *[other] {""}, seen on { $when }
}
op-node-models = Models: { $models }.
op-node-alarms = Given up although it was there, in the last hour: { $number ->
    [one] once
   *[other] { $number } times
}. Its answers went on elsewhere.
op-node-vouched = Control: { $control }. Evidence of surplus: { $evidence }{ $document ->
    [none] {""}
   *[other] {" "}({ $document })
}.

## The operator’s view: co-ops, keys, models, policy, simulation.

op-part-coops = Co-ops and keys
op-part-models = Models
op-part-policy = Policy
op-part-simulation = Simulation
op-data = Data that the machine may process
op-data-public = public
op-data-internal = internal
op-data-restricted = restricted
op-data-hint = No box ticked: all.
op-reason = Reason
op-change = Change
op-keep = Save
op-coops-title = The co-ops
op-coop-add = Add a co-op
op-coop-name = Short name
op-coop-name-hint = Small plain letters, digits and hyphens, no space; it stays.
op-coop-language = Language of questions whose text does not show it
op-coop-language-pool = The pool’s
op-coop-language-fr = French
op-coop-language-en = English
op-coop-full-name = Full name
op-coop-full-name-hint = As people read it; if it is empty, the short name is shown.
op-coop-shares = Shares: { $shares }.
op-coop-lends = Lends { $part }% of its slots{ $limit ->
    [none] {""}.
   *[other] {""}, at most { $limit } Wh a day.
}
op-coop-balance = { $side ->
    [1] Gave { $tokens } more tokens than it received.
    [-1] Received { $tokens } more tokens than it gave.
   *[other] Gave as much as it received.
}
op-coop-kept = { $coop } is saved, in a new version of the policy.
op-coop-added = { $coop } is saved, in a new version of the policy. Now invite its first person, further down, then its first machine, under “To do”.
op-coop-version = It is recorded with the new version of the policy.
op-remove = Remove
op-remove-means = The co-op leaves the pool at once: its keys, machines and invitations are revoked. The books stay.
op-removed = { $coop } has left the pool.
op-shares = Shares
op-lend-part = What it lends of its slots (%)
op-lend-daily = Energy lent in a day, at most (Wh)
op-lend-daily-hint = Empty: no limit.
op-quotas = Quotas
op-quota = Quota{ $of ->
    [none] {""}
   *[other] {" "}of { $of }
}: { $limit } { $kind } { $period }; { $used } so far.
op-quota-of = Quota of { $of }
op-quota-kind = Counts
op-quota-limit = Limit
op-quota-period = Period
op-quota-add = Add a quota
op-quota-remove = Take this quota away
op-kind-tokens = tokens
op-kind-requests = requests
op-kind-jobs_in_flight = requests at once
op-kind-energy_wh = Wh
op-kind-carbon_g = g of CO2e
op-period-minute = a minute
op-period-day = a day
op-period-month = a month
op-period-none = in all
op-keys-title = API keys
op-keys-lead = A key is for a program. A person signs in by a link.
op-keys-none = No key.
op-keys-revoked = Show revoked keys, too
op-project = Project
op-project-hint = Empty: “default”.
op-label = What it is for
op-label-hint = For example: mail of the office.
op-key-make = Make a key
op-key-made = Key { $key } of { $coop }. This is its secret: copy it now, it is never shown again.
op-key-secret = the secret
op-key-revoked = revoked
op-key-revoke-means = Key { $key } of { $coop }: the program that uses it is refused at once. A revoked key does not come back: another one is needed.
op-loads-title = Loaded now
op-load-making_room = making room
op-load-loading = loading
op-load-loaded = loaded
op-load-unloading = unloading
op-load-since = { $node }, { $gb } GB, since { $when }: { $why }
op-load-owner = { $node }, by its owner’s choice
op-why-waiting = requests wait for it
op-why-promise = to keep the promised delays
op-why-operator = at the operator’s word
op-why-idle = nobody uses it
op-why-yields = to make room for another
op-unload = Unload
op-unload-means = { $node } finishes its present answers, then frees this memory. A request for this model waits until it is loaded again.
op-unloading = { $node } unloads { $model }.
op-plan-title = What the pool would do now
op-plan-none = Nothing: each model is where it should be.
op-step-load = Load { $model } on { $node } ({ $why }).
op-step-unload = Unload { $model } from { $node } ({ $why }).
op-place-title = Place a model
op-place-lead = A machine loads it though nobody waits for it. First see what that would come to.
op-model = Model
op-machine = Machine
op-machine-best = the best one
op-place-look = See first
op-place-now = Place the model
op-placing = { $model } is loading.
op-catalogue-title = The catalogue
op-size-petit = small
op-size-moyen = medium
op-size-grand = large
op-unpinned = not pinned
op-model-facts = { $name } · { $gb } GB · { $billions } billion parameters{ $class ->
    [none] {""}
   *[other] {" "}· class { $class } ({ $wh } Wh for 1,000 tokens)
} · { $licence } · openness (MOF): { $openness ->
    [open-model] III, open model
    [open-tooling] II, open tooling
    [open-science] I, open science
    [unclassified] none
   *[other] not stated
}
op-policy-title = The policy in force: { $version }
op-policy-lead = Change the text, read what that changes, check it, then apply it. The new version counts from the next decision on.
op-policy-text = Text of the policy (TOML)
op-policy-changes = What your text changes
op-policy-check = Check
op-policy-undo = Take the text in force again
op-policy-sound = The text is valid.
op-policy-faults = { $count ->
    [one] One fault keeps it from being applied:
   *[other] { $count } faults keep it from being applied:
}
op-policy-reason-hint = For example: assembly of 12 January.
op-policy-signed = Signed by you, { $name }.
op-policy-apply = Apply
op-policy-applied = The new version is in force.
op-diff-none = No difference.
op-diff-gone = Taken out: 
op-diff-new = Added: 
op-diff-left-out = { $count ->
    [one] one equal line
   *[other] { $count } equal lines
}
op-compare-title = Compare two versions
op-compare-lines = Lines that differ
op-compare-old = From
op-compare-new = To
op-policy-versions = All versions
op-in-force = in force
op-journal = { $since ->
    [none] The journal keeps nothing to replay yet.
   *[other] The journal can replay what happened since { $since } ({ $events } events).
}
op-roll-reason = Reason for a return
op-roll-reason-hint = Needed to return to a version.
op-roll-back = Return to
op-roll-back-means = The content of { $version } comes into force at once, under a new name. No version is deleted.
op-rolled-back = The content of { $version } is in force.
op-sim-title = This pool, with next year’s demand
op-sim-journal = { $since ->
    [none] The journal is still empty: wait for some days of work.
   *[other] The recorded demand begins on { $since } ({ $events } events).
} { $machines ->
    [0] No machine can be simulated.
    [one] One machine is simulated.
   *[other] { $machines } machines are simulated.
}
op-sim-percent = More demand next year (%)
op-sim-open = Simulate this pool with next year’s demand
op-sim-export = Export the recorded demand, on the pool’s machine
op-sim-file = Save the scenario in the same folder. It has the co-ops, the machines and their models; prices and intensity are averages.
op-sim-save = Save the scenario
op-sim-show = Read the scenario
op-sim-run = Run the simulation; if it does not know a machine’s device, it says on which line, and what to write
op-sim-plan = And to know whether one more machine is worth its price

## The pool now.

pool-heading = Our machines, shared
pool-lead = Co-operatives share here the computers that they already own. One of these machines handles your question, and each answer says which one.
pool-now-jobs = { $running ->
    [0] Nothing is running
    [one] One request is running
   *[other] { $running } requests are running
}{ $queued ->
    [0] {""}, and nothing waits.
    [one] {""}, one more waits.
   *[other] {""}, { $queued } more wait.
}
pool-empty = No machine has joined the pool yet.
pool-members = Its machines, its models and what they are doing now are for its members to see: sign in.
pool-ask = Ask a question
pool-late = The pool does not answer. Last news: { $time }.
pool-no-models = No model is offered now.

## The pool now, for people of the co-ops.

now-heading = The pool now
now-live = Live
now-late = The pool does not answer. What you see is from { $time }; the page tries again by itself.
now-machines = { $all ->
    [0] No machine has joined the pool yet.
   *[other] { $available ->
        [0] No machine takes work now, out of { $all }.
        [one] One machine out of { $all } takes work.
       *[other] { $available } machines out of { $all } take work.
    }
}
now-waiting = Why requests wait
now-unplanned = { $work } wait too, for hours that are not computed yet: too many batches wait.
now-provinces = Province by province
now-not-listed = { $machines ->
    [one] One more machine is not shown here.
   *[other] { $machines } more machines are not shown here.
}
job-class-interactive = { $jobs ->
    [one] one interactive
   *[other] { $jobs } interactive
}
job-class-standard = { $jobs ->
    [one] one standard
   *[other] { $jobs } standard
}
job-class-batch = { $jobs ->
    [one] one batch
   *[other] { $jobs } batch
}
intensity-unit = g/kWh
intensity-unknown = The intensity of its grid is unknown.
intensity-source = Source: { $source }.
hours-range = From { $low } to { $high } g/kWh in the next 24 hours, least around { $at } ({ $how }).
hours-range-now = From { $low } to { $high } g/kWh in the next 24 hours, least now ({ $how }).
hours-flat = { $value } g/kWh at every hour until tomorrow ({ $how }).
hours-unknown = The intensity of the next hours is unknown.
hours-wait = Waiting for greener hours: { $hours }.
hours-wait-at = { $work } (until { $at })
hours-wait-later = { $work } (later)
work-jobs = { $jobs ->
    [one] one request
   *[other] { $jobs } requests
}
work-lines = { $lines ->
    [one] one line of a batch
   *[other] { $lines } lines of batches
}
province-load = { $slots ->
    [0] No slot is offered.
    [one] { $running } of one slot taken.
   *[other] { $running ->
        [0] None of { $slots } slots taken.
        [one] One of { $slots } slots taken.
       *[other] { $running } of { $slots } slots taken.
    }
}
province-available = { $available ->
    [0] { $all ->
        [one] Its machine takes no work.
       *[other] None of its { $all } machines takes work.
    }
    [one] { $all ->
        [one] Its machine takes work.
       *[other] One machine out of { $all } takes work.
    }
   *[other] { $available } machines out of { $all } take work.
}
province-green = { $green ->
    [one] One runs on its site’s renewable power.
   *[other] { $green } run on their site’s renewable power.
}
site-name = { $site }, { $coop }
machine-models = Models: { $models }.
machine-loading-models = Loading: { $models }.

## The co-op.

view-coop = My co-op
coop-which-month = Figures of
coop-month = Given and received
coop-month-means = Given: requests of other co-ops, on its machines. Received: its requests, on machines of others. At home: its requests, on its machines.
amount-given = Given
amount-received = Received
amount-own = At home
amount-jobs = Requests
amount-tokens = Tokens
amount-energy = Energy
amount-grams = CO2e
balance-given = Over all months, it has given { $tokens } tokens more than it has received.
balance-even = Over all months, it has given as many tokens as it has received.
balance-received = Over all months, it has received { $tokens } tokens more than it has given.
coop-quotas = Use and quotas
quotas-none = No quota limits the co-op.
quota-use = { $used } of { $limit } { $name }
quota-left = { $left } left.
quota-reserved = Requests in progress reserve { $reserved }.
quota-again = On { $at }, the count starts again.
coop-grams = Emissions
grams-none = This month, no request is compared with the average of a province.
grams-less = Its requests emitted { $direct } of CO2e. The same energy at each province’s annual average would have emitted { $average }, which is { $difference } more.
grams-same = Its requests emitted { $direct } of CO2e, as much as the same energy at each province’s annual average: no difference that matters.
grams-more = Its requests emitted { $direct } of CO2e. The same energy at each province’s annual average would have emitted { $average }, which is { $difference } less.
average-known = On average { $average } g/kWh ({ $source }, { $year }).
average-unknown = The average of this province is unknown.
grams-of-energy = { $grams } for { $energy }
coop-promises = Promise kept
promises-mean = The pool promises a time to the first word of the answer, by the class of the request.
promises-none = No request this month.
promise-kept = Kept { $kept } times out of { $all } ({ $share }).
promise-without = { $jobs ->
    [one] One request had no promise or no answer.
   *[other] { $jobs } requests had no promise or no answer.
}
coop-weight = Weight and credit
weight-none = The policy in force does not name the co-op.
coop-machines = Its machines
machines-none = The co-op has no machine in the pool.
machines-more = What each does, gave today, and may use
view-machine = Our machines
machine-page-means = This page only shows. Hours and limits are the owner’s, who changes them on the machine itself and decides whether the pool knows them.
machine-mail = Write to me when something is wrong with a machine of my co-op, and when it is over
machine-mail-not = To get a letter when something is wrong with a machine, confirm your address (page of your sessions); the pool needs a mail server.
machine-page-at = As of { $time } (days and months of { $zone })
machine-terms = What its owner allows
machine-gave = What it did
machine-today = Today
machine-for-others = For other co-ops
machine-for-own = For the co-op itself
machine-left = Has left the pool.
machine-month = This month: { $given } tokens for others, { $own } for the co-op, { $energy }.
coop-totals-only = You see the totals of the whole co-op. Its machines, keys and projects one by one, and the month’s statement, are for its admins: one colleague may be behind a line of them.
coop-statement = The month’s statement
statement-means = What the co-op gave and received, day by day, by key, project, model and machine. The people of a project are one line in it.
statement-csv = Spreadsheet (CSV)
statement-json = Data (JSON)
statement-pdf = Document (PDF)
coop-people = People
role-person = person
role-coop_admin = admin
role-operator = operator
role-auditor = auditor
person-disabled = without access since { $at }
person-enable = Restore access
person-link = New link
person-promote = Make admin
person-demote = Remove as admin
person-disable = Remove access
people-first = This co-op has nobody yet. The first person invited administers it and invites the others.
link-of = Sign-in link for { $name }
link-once = Until { $until }, this link works once. Send it to this person only: it is shown only here.
link-new-start = It opens nothing of what the person sent before.
link-emailed = It has also been sent by e-mail.
invite-title = Invite a person
invite-means = You receive a link to pass on. With an address, the pool also sends it itself if it has a mail server.
invite-send = Invite
field-name = Name
field-email = E-mail (optional)
field-project = Project (optional)
field-label = Label
coop-keys = Keys
keys-mean = A key lets a program of the co-op in. What it asks counts on the key’s project.
key-new = The new key
key-once = Copy it now and keep it in a safe place: the pool cannot show it again.
key-revoked = revoked
key-revoke = Revoke
key-create-title = Create a key
key-create = Create
coop-projects = Projects
projects-mean = A project exists as soon as a person or a key counts on it.
project-unnamed = without a name
project-has = { $people ->
    [0] No person
    [one] One person
   *[other] { $people } people
}, { $keys ->
    [0] no key.
    [one] one key.
   *[other] { $keys } keys.
}

## Secrets that are shown once, and what is to be confirmed.

once-copy = Copy
once-copied = Copied.
once-close = Done
confirm-yes = { $act }: yes
confirm-no = No

## Signing in and out.

signin-title = Sign in
signin-link-lead = This link opens the pool to you, in this browser.
signin-own = This computer is my own
signin-own-why = Your conversations are then kept on it, encrypted, until you sign out. On a shared computer leave it unticked: nothing is kept.
signin-enter = Sign in
signin-link-once = The link works once. To sign in elsewhere or later, ask the person who looks after Entraide in your co-op for another one.
signin-by-link = To sign in, open the link that you received.
signin-who-sends = You have none, or it no longer works? The person who looks after Entraide in your co-op can send you one.
signin-fault-oidc_refused = Signing in with “{ $name }” did not succeed: it was cancelled, or it took too long. Try again.
signin-fault-oidc_person_unknown = “{ $name }” knows you, but nobody in the pool has your verified e-mail address, or you may no longer sign in. Ask the person who looks after Entraide in your co-op to add you.
signin-fault-oidc_unreachable = “{ $name }” does not answer as it should. Try again in a few minutes, or sign in with a link.
signin-fault-other = Signing in did not succeed. Try again; if nothing changes, write to the person who looks after Entraide in your co-op.
signin-fault-provider = your organisation’s account
signin-oidc = Sign in with { $name }
signin-email = Your e-mail address
signin-email-send = Send me a link
signin-email-sent = If the pool knows this address, a link arrives there within a few minutes. Look in the spam folder too.
signin-already = You are { $name } in this browser.
signin-to-pool = Go to the pool
signin-needed = Please sign in first
signin-needed-why = This page is for people of the pool’s co-ops.
sessions-who = You are { $name }, of the { COOP($coop, "co-op") }.
sessions-title = Where you are signed in
sessions-export = Download all that the pool holds of you
sessions-lead = Ending a session stops at once what runs there. If you do not recognise a device, end its session and tell the person who looks after Entraide in your co-op.
sessions-device-unknown = Unknown device
sessions-here = here
sessions-times = Opened on { $made }, used on { $seen }.
sessions-end = End
start-operator = the pool’s operator
start-title = New start
start-by-link = This session began on { $at }, with a link that { $who } made.
start-by-address = This session began on { $at }, at an address that { $who } entered and that you had not confirmed.
start-closed = What you had sent before is closed to it, and your other sessions do not see what you send here.
start-more = What you can do
start-earlier = Your earlier sessions go back to { $at }; the link or the address of the first one came from { $who }. If that was not you, begin empty.
start-open-title = Open what you had sent
start-ask-lead = Are you still signed in in another browser? Ask here, then agree there, on the page of your sessions.
start-ask = Ask to open it
start-asked = You have asked. In the other browser, go to the page of your sessions and choose “Open to this session”.
start-check = Done
start-by-email = Or have a link sent to an address that you have confirmed: only the letter contains it. Open it in this browser.
start-no-email = No letter can open it: this pool sends no e-mail, or you have not confirmed an address.
start-by-oidc = Or sign in with your organisation’s account.
start-empty-title = Begin empty
start-empty-lead = This erases the requests, files and batches that you had kept before, and ends your other sessions. The accounts stay, without any text. It cannot be undone.
start-empty = Erase and begin empty
email-title = Your address
email-question = Is { $email } your own address? Sign-in links go there; agree only if you read your mail there, and nobody else does.
email-unproven = Your address, as somebody else entered it here, is { $email }. If it is your own, { $by ->
    [oidc] sign in with your organisation’s account in this browser
   *[email] have a link sent there and open it in this browser
}, then confirm the address: from then on it opens what you send. If it is not, tell the person who looks after Entraide in your co-op.
email-confirm = It is mine
sessions-new-start = new start
sessions-by-link = With a link that { $who } made.
sessions-by-email = With a link sent to an address that { $who } entered.
sessions-by-oidc = With your organisation’s account.
sessions-asks = This session asks to read what you have sent. Agree only if you asked for it yourself.
sessions-open = Open to this session

## Chat.

view-chat = Chat
close = Close
cancel = Cancel
copy = Copy
copied = Copied
copy-failed = Copy failed
chat-conversation = Conversation
chat-composer = New question
chat-question = Your question
chat-placeholder = Write your question
chat-send = Ask
chat-stop = Stop
chat-edit = Edit
chat-edit-label = Edit the question
chat-ask-again = Ask again
chat-new = New conversation
chat-untitled = Untitled
chat-welcome = What would you like to know, write or sum up?
chat-welcome-where = A machine of the co-ops answers. Below each answer, a line says which one, where it is and what energy it took. A model can be wrong: check what matters.
chat-waiting = Waiting for the first word…
chat-running = Answer under way
chat-done = Answer complete
chat-reasoning = The model’s thought
chat-think = Think first
chat-think-unmeasured = The model thinks before it answers. It usually takes several times the energy and the time; here it is not measured yet.
chat-think-measured = The model thinks before it answers. Measured in your conversations, an answer took { $with } Wh, of which { $thought } Wh for the thought{ $without ->
    [none] .
   *[other] ; without a thought, { $without } Wh.
}
chat-reconnecting = The connection was lost. Connecting again…
chat-resumed = The first machine stopped in mid-answer; { $machine } went on from there.
chat-away = The pool cannot be reached: your question did not get there. Check your connection, then ask again.
chat-cut = The connection to the pool has been lost for a minute: the pool has stopped this answer.
chat-lost = The pool has lost this answer: its server has restarted, or the page came back too late.
chat-kept = What arrived is kept above; “Continue” goes on from there.
chat-no-model = No machine offers this model now. Choose another one, or ask again later.
chat-ended-stopped = Stopped at your request.
chat-ended-length = The answer reached the length that the pool allows.
chat-continue = Continue
chat-continue-question = Continue your answer from where it stopped.
chat-toy = This pool is a demonstration, and this model ({ $model }) is a toy: it writes, but knows nothing. Do not judge a real pool by its answers.
chat-model = Model
chat-class = Class of the data
size-auto = Automatic ({ $means })
size-petit = Small: fast and frugal ({ $means })
size-moyen = Medium: for most texts ({ $means })
size-grand = Large: more capable, slower ({ $means })
class-restricted = Restricted: our machines
class-internal = Internal: the members
class-public = Public: the whole pool
class-restricted-means = Restricted: only the machines of your own co-op answer.
class-internal-means = Internal: machines of any member co-op answer. The person who administers the machine could read the text.
class-public-means = Public: any machine of the pool may answer. Put in only what everybody may read.
model-openness = How open the model { $model } is (Model Openness Framework): { $openness ->
    [open-model] III, open model
    [open-tooling] II, open tooling
    [open-science] I, open science
    [unclassified] none
   *[other] not stated
}

document-attach = Attach
document-attach-what = Attach a PDF, a DOCX or a text, read in this browser
document-reading = Reading…
document-length = { $characters } characters
document-cut = (only the beginning is attached)
document-remove = Remove { $name }
document-large = { $name } is too large: { $limit }\xA0MB at most.
document-kind = { $name } cannot be read here. Attach a PDF, a DOCX or a text file.
document-broken = { $name } cannot be read: the file seems damaged. Open it, save it again, then try again.
document-locked = { $name } is protected by a password. Save a copy without a password, then try again.
document-empty = There is no text in { $name }. A scanned document is only a picture; its text must be recognised first.

warning-title = Personal data is about to leave your co-op
warning-lead = With this class of data, a machine of another co-op may answer. This message contains:
warning-more = and { $count } more
warning-restrict = Use our machines only
warning-remove = Remove it and send
warning-send = Send anyway
warning-restricted-title = What went to your machines only is about to leave them
warning-restricted-lead = A part of this conversation was sent to the machines of your co-op only. All of it, documents included, goes along with each question: a machine of another co-op could receive it. For an unrelated question, begin a new conversation.
warning-limits = The page recognises these numbers by their form, in this browser. It looks neither for names nor for other secrets: read it over.
personal-sin = a social insurance number ({ $hint })
personal-card = a payment card number ({ $hint })
personal-ramq = a Québec health insurance number ({ $hint })
personal-phone = a telephone number ({ $hint })
personal-postal = a postal code ({ $hint })
personal-email = an e-mail address ({ $hint })
removed-sin = [social insurance number removed]
removed-card = [card number removed]
removed-ramq = [health insurance number removed]
removed-phone = [telephone removed]
removed-postal = [postal code removed]
removed-email = [e-mail address removed]

answer-machine = { $machine } of { $coop }, { $province }
answer-own = { $machine } of { $coop } (your co-op), { $province }
answer-begun = begun by { $machine } of { $coop }, { $province }
answer-canada-inside = nothing left Canada
answer-canada-invented = nothing left Canada (the server’s place is invented)
answer-canada-unknown = where the pool’s server stands, or who controls it, is unknown
grams = { $grams }\xA0g CO2e
grams-under = under 0.001 g CO2e
microwave-under = under 1\xA0s of a microwave oven
microwave-seconds = { $seconds }\xA0s of a microwave oven
microwave-minutes = { $minutes }\xA0min of a microwave oven

receipt-title = Where this answer comes from
receipt-machine = The machine { $machine } of the { COOP($coop, "co-op") } answered. It is at the site { $site } ({ $province }).
receipt-begun = The machine { $machine } of the { COOP($coop, "co-op") }, at the site { $site } ({ $province }), began the answer: { $tokens } tokens. { $why ->
    [owner_terms] Then its owner’s terms paused it.
    [node_lost] Then it stopped responding.
    [no_answer] Then it stopped responding.
    [node_left] Then it left the pool.
    [node_restarted] Then it restarted.
   *[other] Then it could not go on.
}
receipt-control = { $control ->
    [member] A member co-op controls it: the operator vouches for that.
    [canadian] A Canadian organisation controls it: the operator vouches for that.
   *[other] Nobody has vouched for who controls it.
}
receipt-place = The text passed the pool’s server{ $zone ->
    [unknown] , at an unknown place
   *[other] {" "}({ $zone })
}: { $control ->
    [member] a member co-op controls it
    [canadian] a Canadian organisation controls it
    [other] an organisation not vouched for as Canadian controls it
   *[unknown] it is unknown who controls it
}.{ $invented ->
    [yes] {" "}The place is invented, for the demonstration.
   *[no] {""}
}
receipt-further = It also passed another server{ $zone ->
    [unknown] , at an unknown place
   *[other] {" "}({ $zone })
}: { $control ->
    [member] a member co-op controls it
    [canadian] a Canadian organisation controls it
    [other] an organisation not vouched for as Canadian controls it
   *[unknown] it is unknown who controls it
}.{ $invented ->
    [yes] {" "}The place is invented, for the demonstration.
   *[no] {""}
}
receipt-model = Model: { $model }, run by { $engine }.
receipt-time = The question waited { $waited }\xA0s; the first words came after { $first }\xA0s.
receipt-tokens = { $input } tokens read, { $output } tokens written. A token is a piece of a word.
receipt-larger = The next larger model served here, { $model }, would have taken { $energy }\xA0Wh, by its measured energy: this answer saved { $percent }% of it.
receipt-thought = { $tokens } of the tokens written were the model’s thought, with { $energy } Wh.{ $always ->
    [yes] {" "}This model always thinks: it cannot be asked not to.
   *[no] {""}
}
receipt-energy = Energy: { $energy }\xA0Wh, which is { $microwave } of 1,000 W ({ $basis ->
    [measured] measured
    [declared] declared
    [none] of unknown origin
   *[other] estimated
}).
receipt-carbon = Emissions of the electricity: { $grams }; with the building of power stations: { $lifecycle }. The current there carried { $intensity }\xA0g per\xA0kWh ({ $basis ->
    [measured] measured
    [declared] declared
    [none] of unknown origin
   *[other] estimated
}).
receipt-surplus = The machine ran on its site’s surplus of renewable energy ({ $basis ->
    [measured] measured
    [declared] declared
    [none] of unknown origin
   *[other] estimated
}), which counts as 0 g.
receipt-signed = { $settled ->
    [yes] This receipt is in the pool’s books and signed.
   *[other] This receipt is signed; the pool’s books confirm it in a moment.
}
receipt-job = Number of the request: { $job }
explanation-title = Why this machine
explanation-gone = The pool no longer has the explanation of this request.
zone-ab = Alberta
zone-bc = British Columbia
zone-mb = Manitoba
zone-nb = New Brunswick
zone-nl = Newfoundland and Labrador
zone-ns = Nova Scotia
zone-nt = Northwest Territories
zone-nu = Nunavut
zone-on = Ontario
zone-pe = Prince Edward Island
zone-qc = Quebec
zone-sk = Saskatchewan
zone-yt = Yukon

## Keeping conversations.

conversations-label = My conversations
here-title = In this browser
here-kept = Your conversations are kept in this browser, encrypted. Once you sign out, nobody can read them any more.
here-lost = Conversations that were kept here cannot be read any more: this browser’s session was ended, a link that somebody else made was used, or the pool was restored from a backup. New ones are kept in this browser, encrypted.
here-not-own = Nothing is kept: you did not say that this computer is your own. Conversations disappear with this tab.
here-no-https = Nothing is kept: this browser encrypts only at an https address. Conversations disappear with this tab.
here-failed = The browser keeps nothing at the moment: it could not read or write its data, or reach the pool. Load the page again to retry.
here-search = Search your conversations
here-none-found = None contains these words.
here-rename = Rename “{ $title }”
tab-title = In this tab
keep-this = Keep this conversation
keep-kept = kept
keep-not-kept = It is in this tab only and disappears with it.
keep-open = Open my kept conversations
keep-title = Kept conversations
keep-none = None yet.
keep-delete = Delete “{ $title }”
keep-delete-sure = Delete “{ $title }”? It cannot be restored.
keep-needs-https = This browser encrypts only at an https address. Ask the operator for the pool’s secure address. Until then you can export the conversation.
keep-create-title = Keep conversations
keep-create-lead = They stay in this browser, encrypted by a passphrase that only you know. The pool does not receive them.
keep-phrase = Passphrase ({ $least } characters or more)
keep-phrase-again = The same once more
keep-phrase-ask = Your passphrase
keep-differs = The two passphrases differ.
keep-create = Create
keep-honest = This protects your conversations if somebody copies the data of this browser or steals the computer. It does not protect them from a person who changes this page, which the operator of the pool can do, or from a person who uses this computer while they are open.
keep-code-title = Your recovery code
keep-code-lead = Write it on paper and put it away. It opens your conversations if you forget the passphrase, and it is shown this once only.
keep-code-done = I have written it down
keep-unlock = Open
keep-lost = Passphrase forgotten
keep-code-ask = Recovery code
keep-recover = Change the passphrase
keep-erase = Delete everything
keep-erase-sure = Delete all conversations that are kept in this browser? They cannot be restored.
keep-erase-why = Without the passphrase and the code nobody can open them again. You can delete everything and begin anew.
keep-wrong = That opens nothing. Check each character, then try again.
keep-failed = The browser could not write or read its data. Check that there is room and that this is not a private window, then try again.
keep-unreadable = { $count ->
    [one] One kept conversation is damaged and cannot be read.
   *[other] { $count } kept conversations are damaged and cannot be read.
}
export-label = Export:
export-question = Question
export-answer = Answer
export-document = Attached document:
`,bn=`### Les phrases des pages. Les deux langues ont les mêmes codes.

## Le cadre de toutes les vues.

skip = Aller au contenu
menu = Menu
loading = Un instant…
reload = Recharger la page
view-not-loaded = Cette partie de la page n’a pas pu être chargée. Le parc ne répond pas, ou il vient d’être mis à jour. Rechargez la page.
never = jamais
sign-in = Entrer
sign-out = Sortir
view-pool = Le parc
view-signin = Entrer
view-sessions = Mes sessions
view-unknown = Page inconnue
unknown-title = Il n’y a pas de page à cette adresse
unknown-back = Revenir au parc
foot-open = Entraide est un logiciel libre.
foot-private = Cette page ne charge rien d’ailleurs et ne mesure pas votre visite.

## Les erreurs que la page remarque elle-même.

error-unreachable = Le parc ne répond pas. Vérifiez votre connexion, puis recommencez\xA0; si rien ne change, écrivez à l’exploitant.
error-status = Le parc a répondu par une erreur ({ $status }). Recommencez\xA0; si rien ne change, écrivez à l’exploitant.
error-page = La page a rencontré une erreur ({ $detail }). Rechargez-la\xA0; si rien ne change, écrivez à l’exploitant.

## L’exploitation\xA0: le cadre, ce qui reste à faire, les invitations, les machines.

view-operator = Exploitation
op-parts = Parties de l’exploitation
op-part-work = À faire
op-part-machines = Machines
op-not-for-you = Cette page est réservée à l’exploitant du parc et à ses vérificateurs.
op-auditor = Vous voyez ce que voit l’exploitant, sans rien pouvoir changer.
op-cancel = Annuler
op-copy = Copier
op-copied = Copié.
op-copy-selected = Sélectionné\xA0: copiez avec Ctrl+C.
op-command = la commande
op-coop = Coopérative
op-work-title = Ce qui demande votre attention
op-work-none = Rien n’attend\xA0: ni machine à approuver, ni quarantaine, ni version en retard.
op-approve = Approuver
op-approved = { $name } est approuvée et peut travailler.
op-revoke = Révoquer
op-revoke-means = La machine est coupée du parc tout de suite et ce qu’elle traite est confié à d’autres. Pour revenir, il lui faudra une nouvelle invitation.
op-revoked = { $name } est révoquée.
op-end-quarantine = Lever la quarantaine
op-cleared = { $name } n’est plus en quarantaine.
op-forget = Oublier
op-forget-means = La fiche de la machine est effacée et sa clé, révoquée. Les comptes gardent ce qu’elle a donné. Pour revenir, il lui faudra une nouvelle invitation.
op-forgotten = { $name } est oubliée.
op-vouch = Attester
op-vouch-now = Enregistrer l’attestation
op-vouched = Votre attestation pour { $name } est en vigueur.
op-doctor-title = La machine du parc
op-doctor-machine = Le parc
op-doctor-checking = Vérification des ports, des certificats, du disque, de l’horloge et de la base de données…
op-doctor-good = { $count ->
    [0] Aucune autre vérification
    [one] Une autre vérification n’a rien trouvé
   *[other] { $count } autres vérifications n’ont rien trouvé
}
op-doctor-since = Depuis le { $when }
op-notify-title = Messages de l’exploitant
op-notify-try = Envoyer un message d’essai
op-notify-means = À chaque destinataire de notify.toml.
op-notify-nobody = Personne n’est averti\xA0: notify.toml ne nomme aucun destinataire.
op-notify-sent = { $recipient }\xA0: envoyé
op-notify-failed = { $recipient }\xA0: { $problem }
op-doctor-again = Vérifier de nouveau
op-doctor-at = Vérifié le { $when }
op-backup-age = { $days ->
    [0] La dernière sauvegarde a moins d’un jour
    [one] La dernière sauvegarde a un jour
   *[other] La dernière sauvegarde a { $days } jours
} ({ $when }).
op-backup-none = Aucune sauvegarde de ce parc n’est connue.
op-gateways = Passerelles
op-gateways-lead = On joint aussi le parc par ces passerelles, qui tournent à côté de celle de l’ordonnanceur.
op-gateway-live = { $jobs ->
    [0] En ligne, sans requête en cours.
    [one] En ligne, avec une requête en cours.
   *[other] En ligne, avec { $jobs } requêtes en cours.
}
op-gateway-silent = Sans nouvelles depuis le { $when }. Les requêtes auxquelles elle répondait ont échoué\xA0; les autres passerelles servent.
op-gateway-stopped = Arrêtée dans les règles le { $when }.
op-gateway-version = Version { $version }
op-gateway-twice = Deux processus portent ce nom. Donnez à chaque passerelle son propre nom dans son fichier de configuration, puis redémarrez-la.
op-remedy-gateway = Regardez son journal, et si sa machine joint le bus.
op-part-grid = Réseau électrique
op-days = Requêtes récentes
op-days-1 = du dernier jour
op-days-7 = des 7 derniers jours
op-days-31 = des 31 derniers jours
op-operation-until = Fin au plus tard le { $when }.
op-operation-cancel = Arrêter
op-operation-cancelled = Arrêté avant la fin.
op-operation-failed = Cela n’a pas abouti. { $fault }
op-file-long = Le fichier a plus de 2,5 Mo. Divisez-le en plusieurs.
op-replay-policy = Les requêtes du { $from } au { $until }, décidées une fois sous la politique { $old } et une fois sous { $now ->
    [none] le texte essayé
   *[other] { $now }
}.
op-replay-demand = Les requêtes du { $from } au { $until }, une fois telles qu’elles sont venues et une fois avec { $percent }\xA0% de plus, sur les mêmes machines.
op-replay-recorded = Selon le journal\xA0: { $served } requêtes servies sur { $jobs }, { $tokens } jetons, { $energy }\xA0Wh\xA0; premier mot en { $first }\xA0s ou moins pour 95\xA0% d’entre elles.
op-replay-simulated = Simulé sous la même politique\xA0: { $served } servies sur { $jobs }, { $tokens } jetons, { $energy }\xA0Wh\xA0; premier mot en { $first }\xA0s ou moins. Le simulateur refait le passé\xA0: la comparaison tient.
op-replay-read = Avant → après\xA0; un seul chiffre là où rien ne change. Les deux sont simulés. Les délais sont ceux que 95\xA0% des requêtes ne dépassent pas.
op-replay-table = Avant et après, par coopérative
op-replay-all = Toutes
op-replay-served = Servies
op-replay-refused = Refusées ou échouées
op-replay-waited = Attente (s)
op-replay-ttft = Premier mot (s)
op-replay-carbon = CO2e (g)
op-replay-energy = Énergie (Wh)
op-replay-kept = Promesses tenues (%)
op-replay-moved = Sur une autre machine
op-replay-save = Enregistrer le rapport
op-policy-try = Ce que ce texte aurait changé
op-policy-try-lead = Changez le texte, puis essayez-le sur les requêtes récentes avant qu’il ne compte. La simulation tourne à côté du parc, seulement quand la machine n’a rien d’autre à faire, et dure une heure au plus.
op-policy-try-now = Essayer ce texte
op-policy-trying = Les requêtes récentes sont rejouées sous les deux textes.
op-sim-lead = Les requêtes du journal reviennent, et une partie d’entre elles une fois de plus, sur les mêmes machines. La simulation tourne à côté du parc, seulement quand la machine n’a rien d’autre à faire, et dure une heure au plus.
op-sim-running = Les requêtes du journal sont rejouées, une fois telles qu’elles sont venues et une fois avec le surcroît.
op-sim-elsewhere = Sur un autre ordinateur, ou avec d’autres machines
op-sim-elsewhere-lead = Un fichier de scénario se change\xA0: une machine de plus, un autre prix. Il se simule sur un ordinateur où Entraide est installé.
op-catalogue-lead = Une machine ne charge qu’un modèle dont les poids sont épinglés, c’est-à-dire vérifiés par leur somme de contrôle.
op-model-remove-means = Le modèle quitte le catalogue\xA0: dès maintenant, aucune machine ne le charge à la demande du parc. Ses poids restent sur les disques.
op-model-removed = { $name } n’est plus dans le catalogue.
op-models-add = Ajouter des modèles
op-models-add-lead = Un modèle de même nom est remplacé.
op-models-file = Fichier d’entrées
op-models-file-hint = JSON\xA0: une entrée, une liste d’entrées ou un catalogue entier.
op-models-add-now = Ajouter depuis le fichier
op-models-shipped = Ajouter ceux qu’Entraide fournit
op-models-added = { $count ->
    [0] Rien à ajouter\xA0: ils sont tous dans le catalogue.
    [one] Un modèle a été ajouté.
   *[other] { $count } modèles ont été ajoutés.
}
op-models-no-entries = Ce fichier n’a pas d’entrées de modèles. Il doit être en JSON\xA0: une entrée avec un nom, une liste d’entrées ou un catalogue.
op-pin-title = Épingler un modèle
op-pin-lead = Le parc relève les sommes de contrôle des poids du modèle, là où son entrée le dit, et va les chercher pour ses machines. Cela peut prendre des heures\xA0; le parc continue.
op-pin-format = Format des poids
op-pin-all = tous
op-pin-revision = Révision
op-pin-revision-hint = Vide\xA0: la plus récente.
op-pin-now = Épingler le modèle
op-pinning = { $name } est en train d’être épinglé.
op-pinned = { $name } est épinglé.
op-grid-title = L’intensité carbone en ce moment
op-grid-lead = Le parc envoie le travail là où l’électricité est la plus propre. La valeur de chaque zone vient de la source choisie ici, sinon de la moyenne annuelle.
op-grid-missing = source choisie sans données
op-grid-value = { $direct }\xA0g de CO2e par kWh\xA0; sur le cycle de vie, { $lifecycle }\xA0g.
op-grid-source = { $source }{ $year ->
    [none] {""}
   *[other] {" "}de { $year }
}{ $when ->
    [none] {""}
   *[other] , données du { $when }
}{ $hours ->
    [0] {""}
    [one] , prévision pour une heure
   *[other] , prévision pour { $hours } heures
}{ $file ->
    [none] {""}
   *[other] , fichier { $file }
}
op-grid-source-annual = moyenne annuelle
op-grid-source-series = heures importées ou configurées
op-grid-source-electricity_maps = Electricity Maps, heure par heure
op-grid-source-configured = ce que dit pool.toml
op-grid-choose = Choisir une source
op-grid-new-source = Nouvelle source
op-grid-choose-now = Choisir cette source
op-grid-chosen = La source de { $zone } compte dès maintenant.
op-grid-token = Jeton d’Electricity Maps
op-grid-token-hint = Vide\xA0: celui que le parc a déjà. Il est gardé dans un fichier du parc et jamais montré.
op-grid-import = Importer les heures d’un fichier
op-grid-import-lead = Un fichier CSV avec une colonne «\xA0utc\xA0», ou un export d’Electricity Maps. Les heures deviennent aussitôt la source de la zone, à la place de celles importées avant.
op-grid-file = Fichier CSV
op-grid-column = Colonne de l’intensité directe
op-grid-column-hint = Vide\xA0: ci_direct_g_per_kwh, ou celle de l’export.
op-grid-years = Années à ajouter à ses heures
op-grid-years-hint = Pour employer une année passée\xA0; les valeurs sont alors marquées comme estimées.
op-grid-import-now = Importer les heures
op-grid-imported = Les heures de { $zone } comptent dès maintenant.
op-invite-title = Inviter une machine
op-invite-lead = Le lien sert une fois, pour une machine. Ce que vous déclarez ici compte, quoi que la machine dise d’elle-même.
op-invite-no-coop = Ajoutez d’abord une coopérative.
op-invite = Créer l’invitation
op-invited = Invitation pour { $coop }, valable jusqu’au { $when }. Envoyez ce lien à la personne qui s’occupe de la machine\xA0; il ne sera plus montré.
op-invite-link = le lien
op-invite-line = Ou, là où Entraide est déjà installé\xA0:
op-site = Site
op-site-hint = Laissez vide pour que la machine le nomme elle-même.
op-zone = Zone du réseau électrique
op-zone-unknown = zone non attestée{ $said ->
    [none] {""}
   *[other] {" "}(selon son propriétaire\xA0: { $said })
}
op-zone-none = non attestée\xA0: une nouvelle machine ne reçoit aucune requête
op-hours = Valable
op-hours-1 = une heure
op-hours-24 = un jour
op-hours-168 = une semaine
op-control = Qui contrôle la machine
op-control-none = non précisé
op-control-member = une coopérative membre
op-control-canadian = une autre organisation canadienne
op-control-other = quelqu’un d’autre
op-evidence = Preuve de son surplus renouvelable
op-evidence-none = aucune
op-evidence-certificate = certificats d’énergie renouvelable
op-evidence-contract = contrat d’achat d’électricité
op-evidence-meter = compteur sur place
op-evidence-invented = inventée pour la démonstration
op-document = Nom ou numéro du document ou du compteur
op-versions = Par version
op-version-unknown = inconnue
op-seek = Chercher une machine ou un site
op-seek-more = Les { $shown } premières sont montrées. Précisez la recherche.
op-state-waiting = À approuver
op-state-revoked = Révoquée
op-state-quarantined = En quarantaine
op-state-live = En ligne
op-state-paused = En pause
op-state-suspect = Sans nouvelles
op-state-lost = Hors ligne
op-state-left = Partie
op-state-unseen = Jamais vue
op-node-version = { $version ->
    [none] Version inconnue
   *[other] Version { $version }
}{ $when ->
    [none] {""}.
   *[other] {""}, vue le { $when }
}
op-node-models = Modèles\xA0: { $models }.
op-node-alarms = Crue hors ligne à tort dans la dernière heure\xA0: { $number ->
    [one] une fois
   *[other] { $number } fois
}. Ses réponses ont continué ailleurs.
op-node-vouched = Contrôle\xA0: { $control }. Preuve du surplus\xA0: { $evidence }{ $document ->
    [none] {""}
   *[other] {" "}({ $document })
}.

## L’exploitation\xA0: coopératives, clés, modèles, politique, simulation.

op-part-coops = Coopératives et clés
op-part-models = Modèles
op-part-policy = Politique
op-part-simulation = Simulation
op-data = Données que la machine peut traiter
op-data-public = publiques
op-data-internal = internes
op-data-restricted = restreintes
op-data-hint = Aucune case cochée\xA0: toutes.
op-reason = Raison
op-change = Changer
op-keep = Enregistrer
op-coops-title = Les coopératives
op-coop-add = Ajouter une coopérative
op-coop-name = Nom court
op-coop-name-hint = Minuscules sans accent, chiffres et tirets, sans espace\xA0; il ne change plus.
op-coop-language = Langue des questions dont le texte ne la montre pas
op-coop-language-pool = Celle du parc
op-coop-language-fr = Français
op-coop-language-en = Anglais
op-coop-full-name = Nom complet
op-coop-full-name-hint = Comme les gens le lisent\xA0; vide, le nom court est montré.
op-coop-shares = Parts\xA0: { $shares }.
op-coop-lends = Prête { $part }\xA0% de ses places{ $limit ->
    [none] {""}.
   *[other] {""}, au plus { $limit } Wh par jour.
}
op-coop-balance = { $side ->
    [1] A donné { $tokens } jetons de plus qu’elle n’a reçu.
    [-1] A reçu { $tokens } jetons de plus qu’elle n’a donné.
   *[other] A donné autant qu’elle a reçu.
}
op-coop-kept = { $coop } est enregistrée, dans une nouvelle version de la politique.
op-coop-added = { $coop } est enregistrée, dans une nouvelle version de la politique. Invitez maintenant sa première personne, plus bas, puis sa première machine, sous «\xA0À faire\xA0».
op-coop-version = Elle est notée avec la nouvelle version de la politique.
op-remove = Retirer
op-remove-means = La coopérative quitte le parc tout de suite\xA0: ses clés, ses machines et ses invitations sont révoquées. Les comptes restent.
op-removed = { $coop } ne fait plus partie du parc.
op-shares = Parts dans le partage
op-lend-part = Ce qu’elle prête de ses places (%)
op-lend-daily = Énergie prêtée par jour, au plus (Wh)
op-lend-daily-hint = Vide\xA0: sans limite.
op-quotas = Quotas
op-quota = Quota{ $of ->
    [none] {""}
   *[other] {" "}de { $of }
}\xA0: { $limit } { $kind } { $period }\xA0; { $used } pour l’instant.
op-quota-of = Quota de { $of }
op-quota-kind = Compte
op-quota-limit = Limite
op-quota-period = Période
op-quota-add = Ajouter un quota
op-quota-remove = Enlever ce quota
op-kind-tokens = jetons
op-kind-requests = requêtes
op-kind-jobs_in_flight = requêtes à la fois
op-kind-energy_wh = Wh
op-kind-carbon_g = g de CO2e
op-period-minute = par minute
op-period-day = par jour
op-period-month = par mois
op-period-none = en tout
op-keys-title = Clés d’API
op-keys-lead = Une clé sert à un programme. Une personne entre par un lien.
op-keys-none = Aucune clé.
op-keys-revoked = Montrer aussi les clés révoquées
op-project = Projet
op-project-hint = Vide\xA0: «\xA0default\xA0».
op-label = À quoi elle sert
op-label-hint = Par exemple\xA0: courriel du bureau.
op-key-make = Créer une clé
op-key-made = Clé { $key } de { $coop }. Voici son secret\xA0: copiez-le maintenant, il ne sera plus jamais montré.
op-key-secret = le secret
op-key-revoked = révoquée
op-key-revoke-means = Clé { $key } de { $coop }\xA0: le programme qui s’en sert est refusé tout de suite. Une clé révoquée ne revient pas\xA0: il en faudra une autre.
op-loads-title = Chargés en ce moment
op-load-making_room = libère de la place
op-load-loading = en chargement
op-load-loaded = chargé
op-load-unloading = en déchargement
op-load-since = { $node }, { $gb } Go, depuis le { $when }\xA0: { $why }
op-load-owner = { $node }, au choix de son propriétaire
op-why-waiting = des requêtes l’attendent
op-why-promise = pour tenir les délais promis
op-why-operator = à la demande de l’exploitant
op-why-idle = personne ne s’en sert
op-why-yields = pour faire place à un autre
op-unload = Décharger
op-unload-means = { $node } finit ses réponses en cours, puis libère cette mémoire. Une requête pour ce modèle attendra qu’il soit chargé de nouveau.
op-unloading = { $node } décharge { $model }.
op-plan-title = Ce que le parc ferait maintenant
op-plan-none = Rien\xA0: chaque modèle est là où il doit être.
op-step-load = Charger { $model } sur { $node } ({ $why }).
op-step-unload = Décharger { $model } de { $node } ({ $why }).
op-place-title = Placer un modèle
op-place-lead = Une machine le charge, même si personne ne l’attend. Voyez d’abord ce que cela donnerait.
op-model = Modèle
op-machine = Machine
op-machine-best = la meilleure
op-place-look = Voir d’abord
op-place-now = Placer le modèle
op-placing = { $model } se charge.
op-catalogue-title = Le catalogue
op-size-petit = petit
op-size-moyen = moyen
op-size-grand = grand
op-unpinned = pas épinglé
op-model-facts = { $name } · { $gb } Go · { $billions } milliards de paramètres{ $class ->
    [none] {""}
   *[other] {" "}· classe { $class } ({ $wh } Wh pour 1\xA0000 jetons)
} · { $licence } · ouverture (MOF)\xA0: { $openness ->
    [open-model] III, modèle ouvert
    [open-tooling] II, outils ouverts
    [open-science] I, science ouverte
    [unclassified] aucune
   *[other] non énoncée
}
op-policy-title = La politique en vigueur\xA0: { $version }
op-policy-lead = Changez le texte, lisez ce que cela change, vérifiez, puis appliquez. La nouvelle version compte dès la décision suivante.
op-policy-text = Texte de la politique (TOML)
op-policy-changes = Ce que votre texte change
op-policy-check = Vérifier
op-policy-undo = Reprendre le texte en vigueur
op-policy-sound = Le texte est valide.
op-policy-faults = { $count ->
    [one] Une faute empêche de l’appliquer\xA0:
   *[other] { $count } fautes empêchent de l’appliquer\xA0:
}
op-policy-reason-hint = Par exemple\xA0: assemblée du 12 janvier.
op-policy-signed = Signé par vous, { $name }.
op-policy-apply = Appliquer
op-policy-applied = La nouvelle version est en vigueur.
op-diff-none = Aucune différence.
op-diff-gone = Retiré\xA0: 
op-diff-new = Ajouté\xA0: 
op-diff-left-out = { $count ->
    [one] une ligne pareille
   *[other] { $count } lignes pareilles
}
op-compare-title = Comparer deux versions
op-compare-lines = Lignes qui diffèrent
op-compare-old = De
op-compare-new = À
op-policy-versions = Toutes les versions
op-in-force = en vigueur
op-journal = { $since ->
    [none] Le journal ne garde encore rien à rejouer.
   *[other] Le journal permet de rejouer ce qui s’est passé depuis le { $since } ({ $events } événements).
}
op-roll-reason = Raison d’un retour
op-roll-reason-hint = Nécessaire pour revenir à une version.
op-roll-back = Revenir à
op-roll-back-means = Le contenu de { $version } entre en vigueur tout de suite, sous un nouveau nom. Aucune version n’est effacée.
op-rolled-back = Le contenu de { $version } est en vigueur.
op-sim-title = Ce parc, avec la demande de l’an prochain
op-sim-journal = { $since ->
    [none] Le journal est encore vide\xA0: attendez quelques jours de travail.
   *[other] La demande enregistrée commence le { $since } ({ $events } événements).
} { $machines ->
    [0] Aucune machine ne peut être simulée.
    [one] Une machine entre dans la simulation.
   *[other] { $machines } machines entrent dans la simulation.
}
op-sim-percent = Demande en plus, l’an prochain (%)
op-sim-open = Simuler ce parc avec la demande de l’an prochain
op-sim-export = Exportez la demande enregistrée, sur la machine du parc
op-sim-file = Enregistrez le scénario dans le même dossier. Il a les coopératives, les machines et leurs modèles\xA0; les prix et l’intensité viennent des moyennes.
op-sim-save = Enregistrer le scénario
op-sim-show = Lire le scénario
op-sim-run = Lancez la simulation\xA0; si le matériel d’une machine ne lui est pas connu, elle dit à quelle ligne et quoi écrire
op-sim-plan = Et pour savoir si une machine de plus vaut son prix

## Le parc en ce moment.

pool-heading = Nos machines, mises en commun
pool-lead = Des coopératives partagent ici les ordinateurs qu’elles possèdent déjà. Une de ces machines traite votre question, et chaque réponse dit laquelle.
pool-now-jobs = { $running ->
    [0] Rien n’est en cours
    [one] Une requête est en cours
   *[other] { $running } requêtes sont en cours
}{ $queued ->
    [0] {""}, et rien n’attend.
    [one] {""}, une autre attend.
   *[other] {""}, { $queued } autres attendent.
}
pool-empty = Aucune machine n’a encore rejoint le parc.
pool-members = Ses machines, ses modèles et ce qu’ils font en ce moment sont réservés à ses membres\xA0: connectez-vous pour les voir.
pool-ask = Poser une question
pool-late = Le parc ne répond pas. Dernières nouvelles\xA0: { $time }.
pool-no-models = Aucun modèle n’est offert en ce moment.

## Le parc en ce moment, pour les personnes des coopératives.

now-heading = Le parc en ce moment
now-live = En direct
now-late = Le parc ne répond pas. Ce que vous voyez date de { $time }\xA0; la page réessaie d’elle-même.
now-machines = { $all ->
    [0] Aucune machine n’a encore rejoint le parc.
   *[other] { $available ->
        [0] Aucune machine ne prend de travail en ce moment, sur { $all }.
        [one] Une machine sur { $all } prend du travail.
       *[other] { $available } machines sur { $all } prennent du travail.
    }
}
now-waiting = Ce que les requêtes attendent
now-unplanned = { $work } attendent aussi, à des heures qui ne sont pas encore calculées\xA0: trop de lots attendent.
now-provinces = Province par province
now-not-listed = { $machines ->
    [one] Une autre machine n’est pas montrée ici.
   *[other] { $machines } autres machines ne sont pas montrées ici.
}
job-class-interactive = { $jobs ->
    [one] une interactive
   *[other] { $jobs } interactives
}
job-class-standard = { $jobs ->
    [one] une ordinaire
   *[other] { $jobs } ordinaires
}
job-class-batch = { $jobs ->
    [one] une différée
   *[other] { $jobs } différées
}
intensity-unit = g/kWh
intensity-unknown = L’intensité de l’électricité y est inconnue.
intensity-source = Source\xA0: { $source }.
hours-range = De { $low } à { $high }\xA0g/kWh d’ici 24\xA0heures, le moins vers { $at } ({ $how }).
hours-range-now = De { $low } à { $high }\xA0g/kWh d’ici 24\xA0heures, le moins en ce moment ({ $how }).
hours-flat = { $value }\xA0g/kWh à toute heure d’ici demain ({ $how }).
hours-unknown = L’intensité des heures suivantes est inconnue.
hours-wait = Attendent des heures plus vertes\xA0: { $hours }.
hours-wait-at = { $work } (jusqu’à { $at })
hours-wait-later = { $work } (plus tard)
work-jobs = { $jobs ->
    [one] une requête
   *[other] { $jobs } requêtes
}
work-lines = { $lines ->
    [one] une ligne de lot
   *[other] { $lines } lignes de lots
}
province-load = { $slots ->
    [0] Aucune place n’est offerte.
    [one] { $running } place prise sur une.
   *[other] { $running ->
        [0] Aucune place prise sur { $slots }.
        [one] Une place prise sur { $slots }.
       *[other] { $running } places prises sur { $slots }.
    }
}
province-available = { $available ->
    [0] { $all ->
        [one] Sa machine ne prend pas de travail.
       *[other] Aucune de ses { $all } machines ne prend de travail.
    }
    [one] { $all ->
        [one] Sa machine prend du travail.
       *[other] Une machine sur { $all } prend du travail.
    }
   *[other] { $available } machines sur { $all } prennent du travail.
}
province-green = { $green ->
    [one] Une fonctionne à l’énergie renouvelable de son site.
   *[other] { $green } fonctionnent à l’énergie renouvelable de leur site.
}
site-name = { $site }, { $coop }
machine-models = Modèles\xA0: { $models }.
machine-loading-models = En chargement\xA0: { $models }.

## La coopérative.

view-coop = Ma coopérative
coop-which-month = Les chiffres du mois
coop-month = Donné et reçu
coop-month-means = Donné\xA0: des requêtes d’autres coopératives, sur ses machines. Reçu\xA0: ses requêtes, sur les machines d’autres. Chez elle\xA0: ses requêtes, sur ses machines.
amount-given = Donné
amount-received = Reçu
amount-own = Chez elle
amount-jobs = Requêtes
amount-tokens = Jetons
amount-energy = Énergie
amount-grams = CO2e
balance-given = En tout, tous mois compris, elle a donné { $tokens } jetons de plus qu’elle n’en a reçu.
balance-even = En tout, tous mois compris, elle a donné autant de jetons qu’elle en a reçu.
balance-received = En tout, tous mois compris, elle a reçu { $tokens } jetons de plus qu’elle n’en a donné.
coop-quotas = Usage et quotas
quotas-none = Aucun quota ne limite la coopérative.
quota-use = { $used } sur { $limit } { $name }
quota-left = Il en reste { $left }.
quota-reserved = Les requêtes en cours en réservent { $reserved }.
quota-again = Le { $at }, le compte repart.
coop-grams = Émissions
grams-none = Ce mois-ci, aucune requête n’est comparée à la moyenne d’une province.
grams-less = Ses requêtes ont émis { $direct } de CO2e. La même énergie, à la moyenne annuelle de chaque province, en aurait émis { $average }, donc { $difference } de plus.
grams-same = Ses requêtes ont émis { $direct } de CO2e, autant que la même énergie à la moyenne annuelle de chaque province\xA0: aucune différence qui compte.
grams-more = Ses requêtes ont émis { $direct } de CO2e. La même énergie, à la moyenne annuelle de chaque province, en aurait émis { $average }, donc { $difference } de moins.
average-known = En moyenne { $average }\xA0g/kWh ({ $source }, { $year }).
average-unknown = La moyenne de cette province est inconnue.
grams-of-energy = { $grams } pour { $energy }
coop-promises = Promesse tenue
promises-mean = Le parc promet un délai jusqu’au premier mot de la réponse, selon la classe de la requête.
promises-none = Aucune requête ce mois-ci.
promise-kept = Tenue { $kept } fois sur { $all } ({ $share }).
promise-without = { $jobs ->
    [one] Une requête était sans promesse ou sans réponse.
   *[other] { $jobs } requêtes étaient sans promesse ou sans réponse.
}
coop-weight = Poids et crédit
weight-none = La politique en vigueur ne nomme pas la coopérative.
coop-machines = Ses machines
machines-none = La coopérative n’a pas de machine dans le parc.
machines-more = Ce que chacune fait, a donné aujourd’hui et peut utiliser
view-machine = Nos machines
machine-page-means = Cette page ne fait que montrer. Les heures et les limites relèvent du propriétaire, qui les change sur la machine même et décide si le parc les connaît.
machine-mail = M’écrire quand une machine de ma coopérative ne va pas, puis quand c’est fini
machine-mail-not = Pour recevoir une lettre quand une machine ne va pas, confirmez votre adresse (page de vos sessions)\xA0; le parc doit avoir un serveur de courriel.
machine-page-at = État à { $time } (jours et mois selon { $zone })
machine-terms = Ce que son propriétaire permet
machine-gave = Ce qu’elle a fait
machine-today = Aujourd’hui
machine-for-others = Pour d’autres coopératives
machine-for-own = Pour la coopérative elle-même
machine-left = A quitté le parc.
machine-month = Ce mois-ci\xA0: { $given } jetons pour d’autres, { $own } pour la coopérative, { $energy }.
coop-totals-only = Vous voyez les totaux de toute la coopérative. Le détail par machine, par clé et par projet, et le relevé du mois, sont réservés à ses admins\xA0: derrière une de ces lignes, il peut n’y avoir qu’un seul collègue.
coop-statement = Relevé du mois
statement-means = Ce que la coopérative a donné et reçu, jour par jour, par clé, projet, modèle et machine. Les personnes d’un projet y forment une seule ligne.
statement-csv = Tableur (CSV)
statement-json = Données (JSON)
statement-pdf = Document (PDF)
coop-people = Les personnes
role-person = personne
role-coop_admin = administration
role-operator = exploitation
role-auditor = vérification
person-disabled = sans accès depuis le { $at }
person-enable = Redonner l’accès
person-link = Nouveau lien
person-promote = Confier l’administration
person-demote = Retirer l’administration
person-disable = Retirer l’accès
people-first = Cette coopérative n’a encore personne. La première personne invitée l’administre et invite les autres.
link-of = Lien d’entrée pour { $name }
link-once = Jusqu’au { $until }, ce lien sert une seule fois. Envoyez-le à cette personne seulement\xA0: il n’est montré qu’ici.
link-new-start = Il n’ouvre rien de ce que la personne a envoyé auparavant.
link-emailed = Il est aussi parti par courriel.
invite-title = Inviter une personne
invite-means = Vous recevez un lien à lui transmettre. Avec une adresse, le parc l’envoie aussi lui-même s’il a un serveur de courriel.
invite-send = Inviter
field-name = Nom
field-email = Courriel (facultatif)
field-project = Projet (facultatif)
field-label = Étiquette
coop-keys = Les clés
keys-mean = Une clé laisse entrer un programme de la coopérative. Ce qu’il demande compte sur le projet de la clé.
key-new = La nouvelle clé
key-once = Copiez-la maintenant et gardez-la en lieu sûr\xA0: le parc ne peut pas la montrer de nouveau.
key-revoked = révoquée
key-revoke = Révoquer
key-create-title = Créer une clé
key-create = Créer
coop-projects = Les projets
projects-mean = Un projet existe dès qu’une personne ou une clé compte sur lui.
project-unnamed = sans nom
project-has = { $people ->
    [0] Aucune personne
    [one] Une personne
   *[other] { $people } personnes
}, { $keys ->
    [0] aucune clé.
    [one] une clé.
   *[other] { $keys } clés.
}

## Les secrets qui ne sont montrés qu’une fois, et ce qu’il faut confirmer.

once-copy = Copier
once-copied = Copié.
once-close = C’est fait
confirm-yes = { $act }\xA0: oui
confirm-no = Non

## Entrer et sortir.

signin-title = Entrer
signin-link-lead = Ce lien vous ouvre le parc, dans ce navigateur.
signin-own = Cet ordinateur est le mien
signin-own-why = Vos conversations y sont alors gardées, chiffrées, jusqu’à ce que vous sortiez. Sur un ordinateur partagé, ne cochez pas\xA0: rien n’est gardé.
signin-enter = Entrer
signin-link-once = Le lien sert une seule fois. Pour entrer ailleurs ou plus tard, demandez‑en un autre à la personne qui s’occupe d’Entraide dans votre coopérative.
signin-by-link = Pour entrer, ouvrez le lien que vous avez reçu.
signin-who-sends = Vous n’en avez pas, ou il ne sert plus\xA0? La personne qui s’occupe d’Entraide dans votre coopérative peut vous en envoyer un.
signin-fault-oidc_refused = La connexion avec «\xA0{ $name }\xA0» n’a pas abouti\xA0: elle a été annulée, ou elle a duré trop longtemps. Recommencez.
signin-fault-oidc_person_unknown = «\xA0{ $name }\xA0» vous connaît, mais personne dans le parc n’a votre adresse courriel vérifiée, ou votre accès a été retiré. Demandez à la personne qui s’occupe d’Entraide dans votre coopérative de vous ajouter.
signin-fault-oidc_unreachable = «\xA0{ $name }\xA0» ne répond pas comme il le devrait. Réessayez dans quelques minutes, ou entrez par un lien.
signin-fault-other = La connexion n’a pas abouti. Recommencez\xA0; si rien ne change, écrivez à la personne qui s’occupe d’Entraide dans votre coopérative.
signin-fault-provider = le compte de votre organisation
signin-oidc = Entrer avec { $name }
signin-email = Votre adresse courriel
signin-email-send = M’envoyer un lien
signin-email-sent = Si cette adresse est connue du parc, un lien y arrive dans quelques minutes. Regardez aussi dans les indésirables.
signin-already = Vous êtes { $name } dans ce navigateur.
signin-to-pool = Aller au parc
signin-needed = Il faut entrer d’abord
signin-needed-why = Cette page est réservée aux personnes des coopératives du parc.
sessions-who = Vous êtes { $name }, de la { COOP($coop, "coopérative") }.
sessions-title = Où vous êtes entré·e
sessions-export = Télécharger tout ce que le parc détient sur vous
sessions-lead = Terminer une session arrête aussitôt ce qui y est en cours. Si vous ne reconnaissez pas un appareil, terminez sa session et prévenez la personne qui s’occupe d’Entraide dans votre coopérative.
sessions-device-unknown = Appareil inconnu
sessions-here = ici
sessions-times = Ouverte le { $made }, employée le { $seen }.
sessions-end = Terminer
start-operator = l’équipe d’exploitation du parc
start-title = Nouveau départ
start-by-link = Cette session a commencé le { $at }, par un lien que { $who } a créé.
start-by-address = Cette session a commencé le { $at }, à une adresse que { $who } a inscrite et que vous n’aviez pas confirmée.
start-closed = Ce que vous aviez envoyé auparavant lui est fermé, et vos autres sessions ne voient pas ce que vous envoyez ici.
start-more = Ce que vous pouvez faire
start-earlier = Vos sessions antérieures remontent au { $at }\xA0; le lien ou l’adresse de la première venait de { $who }. Si ce n’était pas vous, repartez à vide.
start-open-title = Ouvrir ce que vous aviez envoyé
start-ask-lead = Avez-vous encore une session dans un autre navigateur\xA0? Demandez l’ouverture ici, puis acceptez-la là-bas, à la page de vos sessions.
start-ask = Demander l’ouverture
start-asked = L’ouverture est demandée. Dans l’autre navigateur, allez à la page de vos sessions et choisissez «\xA0Ouvrir à cette session\xA0».
start-check = C’est fait
start-by-email = Ou faites envoyer un lien à une adresse que vous avez confirmée\xA0: seul le courriel le contient. Ouvrez-le dans ce navigateur.
start-no-email = Aucun courriel ne peut l’ouvrir\xA0: le parc n’en envoie pas, ou vous n’avez confirmé aucune adresse.
start-by-oidc = Ou passez par le compte de votre organisation.
start-empty-title = Repartir à vide
start-empty-lead = Les requêtes, les fichiers et les lots que vous aviez conservés sont effacés, et vos autres sessions prennent fin. Les comptes restent, sans aucun texte. Rien de cela ne s’annule.
start-empty = Effacer et repartir à vide
email-title = Votre adresse
email-question = { $email } est-elle bien votre adresse\xA0? Les liens de connexion y sont envoyés\xA0; n’acceptez que si vous y lisez vos courriels, et personne d’autre.
email-unproven = Votre adresse, telle qu’une autre personne l’a inscrite ici, est { $email }. Si c’est bien la vôtre, { $by ->
    [oidc] connectez-vous dans ce navigateur par le compte de votre organisation
   *[email] faites-y envoyer un lien et ouvrez-le dans ce navigateur
}, puis confirmez l’adresse\xA0: elle ouvrira désormais ce que vous envoyez. Sinon, prévenez la personne qui s’occupe d’Entraide dans votre coopérative.
email-confirm = C’est la mienne
sessions-new-start = nouveau départ
sessions-by-link = Par un lien que { $who } a créé.
sessions-by-email = Par un lien envoyé à une adresse que { $who } a inscrite.
sessions-by-oidc = Par le compte de votre organisation.
sessions-asks = Cette session demande à lire ce que vous avez envoyé. N’acceptez que si vous l’avez demandé vous-même.
sessions-open = Ouvrir à cette session

## Discuter.

view-chat = Discuter
close = Fermer
cancel = Annuler
copy = Copier
copied = Copié
copy-failed = Copie impossible
chat-conversation = Conversation
chat-composer = Nouvelle question
chat-question = Votre question
chat-placeholder = Écrivez votre question
chat-send = Demander
chat-stop = Arrêter
chat-edit = Modifier
chat-edit-label = Modifier la question
chat-ask-again = Redemander
chat-new = Nouvelle conversation
chat-untitled = Sans titre
chat-welcome = Que voulez-vous savoir, écrire ou résumer\xA0?
chat-welcome-where = Une machine des coopératives répond. Sous chaque réponse, une ligne dit laquelle, où elle est et ce qu’il a fallu d’énergie. Un modèle peut se tromper\xA0: vérifiez ce qui compte.
chat-waiting = En attente du premier mot…
chat-running = Réponse en cours
chat-done = Réponse terminée
chat-reasoning = La réflexion du modèle
chat-think = Réfléchir d’abord
chat-think-unmeasured = Le modèle réfléchit avant de répondre. Il faut d’ordinaire plusieurs fois l’énergie et le temps\xA0; ici, ce n’est pas encore mesuré.
chat-think-measured = Le modèle réfléchit avant de répondre. Mesuré dans vos conversations\xA0: une réponse a pris { $with }\xA0Wh, dont { $thought }\xA0Wh pour la réflexion{ $without ->
    [none] .
   *[other] {""}\xA0; sans réflexion, { $without }\xA0Wh.
}
chat-reconnecting = La connexion est coupée. Nouvelle tentative…
chat-resumed = La première machine s’est arrêtée en cours de réponse\xA0; { $machine } a poursuivi.
chat-away = Le parc n’est pas joignable\xA0: votre question ne lui est pas parvenue. Vérifiez votre connexion, puis redemandez.
chat-cut = La connexion au parc est coupée depuis une minute\xA0: le parc a arrêté cette réponse.
chat-lost = Le parc a perdu cette réponse\xA0: son serveur a redémarré, ou la page est revenue trop tard.
chat-kept = Ce qui est arrivé reste affiché ci-dessus\xA0; «\xA0Continuer\xA0» poursuit à partir de là.
chat-no-model = Aucune machine n’offre ce modèle en ce moment. Choisissez-en un autre, ou redemandez plus tard.
chat-ended-stopped = Arrêtée à votre demande.
chat-ended-length = La réponse a atteint la longueur que le parc permet.
chat-continue = Continuer
chat-continue-question = Continue ta réponse là où elle s’est arrêtée.
chat-toy = Ce parc est une démonstration, et ce modèle ({ $model }) est un jouet\xA0: il écrit, mais ne sait rien. Ne jugez pas un vrai parc sur ses réponses.
chat-model = Modèle
chat-class = Classe des données
size-auto = Automatique ({ $means })
size-petit = Petit\xA0: rapide et sobre ({ $means })
size-moyen = Moyen\xA0: pour la plupart des textes ({ $means })
size-grand = Grand\xA0: plus capable, plus lent ({ $means })
class-restricted = Restreintes\xA0: nos machines
class-internal = Internes\xA0: les membres
class-public = Publiques\xA0: tout le parc
class-restricted-means = Restreintes\xA0: seules les machines de votre propre coopérative répondent.
class-internal-means = Internes\xA0: des machines de toutes les coopératives membres répondent. La personne qui administre la machine pourrait lire le texte.
class-public-means = Publiques\xA0: toute machine du parc peut répondre. N’y mettez que ce que tout le monde peut lire.
model-openness = Ouverture du modèle { $model } (Model Openness Framework)\xA0: { $openness ->
    [open-model] III, modèle ouvert
    [open-tooling] II, outils ouverts
    [open-science] I, science ouverte
    [unclassified] aucune
   *[other] non énoncée
}

document-attach = Joindre
document-attach-what = Joindre un PDF, un DOCX ou un texte, lu dans ce navigateur
document-reading = Lecture…
document-length = { $characters } caractères
document-cut = (seul le début est joint)
document-remove = Retirer { $name }
document-large = { $name } est trop grand\xA0: { $limit }\xA0Mo au plus.
document-kind = { $name } ne peut pas être lu ici. Joignez un PDF, un DOCX ou un fichier de texte.
document-broken = { $name } ne peut pas être lu\xA0: le fichier semble abîmé. Ouvrez-le, enregistrez-le de nouveau, puis recommencez.
document-locked = { $name } est protégé par un mot de passe. Enregistrez-en une copie sans mot de passe, puis recommencez.
document-empty = Aucun texte dans { $name }. Un document numérisé n’est qu’une image\xA0; il faut d’abord en reconnaître le texte.

warning-title = Des renseignements personnels vont sortir de chez vous
warning-lead = Avec cette classe de données, une machine d’une autre coopérative peut répondre. Il y a dans ce message\xA0:
warning-more = et { $count } de plus
warning-restrict = N’employer que nos machines
warning-remove = Les enlever et envoyer
warning-send = Envoyer quand même
warning-restricted-title = Ce qui n’allait qu’à vos machines va en sortir
warning-restricted-lead = Une partie de cette conversation n’a été envoyée qu’aux machines de votre coopérative. Elle part tout entière, documents compris, avec chaque question\xA0: une machine d’une autre coopérative pourrait la recevoir. Pour une question sans rapport, commencez une nouvelle conversation.
warning-limits = La page reconnaît ces numéros à leur forme, dans ce navigateur. Elle ne cherche ni les noms ni les autres secrets\xA0: relisez.
personal-sin = un numéro d’assurance sociale ({ $hint })
personal-card = un numéro de carte de paiement ({ $hint })
personal-ramq = un numéro d’assurance maladie ({ $hint })
personal-phone = un numéro de téléphone ({ $hint })
personal-postal = un code postal ({ $hint })
personal-email = une adresse courriel ({ $hint })
removed-sin = [numéro d’assurance sociale enlevé]
removed-card = [numéro de carte enlevé]
removed-ramq = [numéro d’assurance maladie enlevé]
removed-phone = [téléphone enlevé]
removed-postal = [code postal enlevé]
removed-email = [adresse courriel enlevée]

answer-machine = { $machine } de { $coop }, { $province }
answer-own = { $machine } de { $coop } (votre coopérative), { $province }
answer-begun = commencée par { $machine } de { $coop }, { $province }
answer-canada-inside = rien n’est sorti du Canada
answer-canada-invented = rien n’est sorti du Canada (l’emplacement du serveur est inventé)
answer-canada-unknown = on ne sait pas où est le serveur du parc, ou qui en a le contrôle
grams = { $grams }\xA0g de CO2e
grams-under = moins de 0,001 g de CO2e
microwave-under = moins de 1\xA0s de four à micro-ondes
microwave-seconds = { $seconds }\xA0s de four à micro-ondes
microwave-minutes = { $minutes }\xA0min de four à micro-ondes

receipt-title = D’où vient cette réponse
receipt-machine = La machine { $machine } de la { COOP($coop, "coopérative") } a répondu. Elle est au site { $site } ({ $province }).
receipt-begun = La machine { $machine } de la { COOP($coop, "coopérative") }, au site { $site } ({ $province }), a commencé la réponse\xA0: { $tokens } jetons. { $why ->
    [owner_terms] Puis les conditions de son propriétaire l’ont mise en pause.
    [node_lost] Puis elle n’a plus répondu.
    [no_answer] Puis elle n’a plus répondu.
    [node_left] Puis elle a quitté le parc.
    [node_restarted] Puis elle a redémarré.
   *[other] Puis elle n’a pas pu continuer.
}
receipt-control = { $control ->
    [member] Une coopérative membre en a le contrôle\xA0: l’exploitant l’atteste.
    [canadian] Une organisation canadienne en a le contrôle\xA0: l’exploitant l’atteste.
   *[other] L’exploitant n’a pas attesté qui en a le contrôle.
}
receipt-place = Le texte est passé par le serveur du parc{ $zone ->
    [unknown] , à un endroit inconnu
   *[other] {" "}({ $zone })
}\xA0: { $control ->
    [member] une coopérative membre en a le contrôle
    [canadian] une organisation canadienne en a le contrôle
    [other] une organisation non attestée comme canadienne en a le contrôle
   *[unknown] on ne sait pas qui en a le contrôle
}.{ $invented ->
    [yes] {" "}L’emplacement est inventé, pour la démonstration.
   *[no] {""}
}
receipt-further = Il est aussi passé par un autre serveur{ $zone ->
    [unknown] , à un endroit inconnu
   *[other] {" "}({ $zone })
}\xA0: { $control ->
    [member] une coopérative membre en a le contrôle
    [canadian] une organisation canadienne en a le contrôle
    [other] une organisation non attestée comme canadienne en a le contrôle
   *[unknown] on ne sait pas qui en a le contrôle
}.{ $invented ->
    [yes] {" "}L’emplacement est inventé, pour la démonstration.
   *[no] {""}
}
receipt-model = Modèle\xA0: { $model }, exécuté par { $engine }.
receipt-time = La question a attendu { $waited }\xA0s\xA0; les premiers mots sont venus après { $first }\xA0s.
receipt-tokens = { $input } jetons lus, { $output } jetons écrits. Un jeton est un morceau de mot.
receipt-larger = Le modèle servi ici qui le suit en taille, { $model }, aurait pris { $energy }\xA0Wh, d’après son énergie mesurée\xA0: cette réponse en a épargné { $percent }\xA0%.
receipt-thought = { $tokens } des jetons produits étaient la réflexion du modèle, pour { $energy }\xA0Wh.{ $always ->
    [yes] {" "}Ce modèle réfléchit toujours\xA0: on ne peut pas l’en empêcher.
   *[no] {""}
}
receipt-energy = Énergie\xA0: { $energy }\xA0Wh, soit { $microwave } de 1 000 W ({ $basis ->
    [measured] mesurée
    [declared] déclarée
    [none] d’origine inconnue
   *[other] estimée
}).
receipt-carbon = Émissions de l’électricité\xA0: { $grams }\xA0; avec la fabrication des centrales\xA0: { $lifecycle }. Le courant y portait { $intensity }\xA0g par\xA0kWh ({ $basis ->
    [measured] mesuré
    [declared] déclaré
    [none] d’origine inconnue
   *[other] estimé
}).
receipt-surplus = La machine fonctionnait au surplus d’énergie renouvelable de son site ({ $basis ->
    [measured] mesuré
    [declared] déclaré
    [none] d’origine inconnue
   *[other] estimé
}), qui compte pour 0 g.
receipt-signed = { $settled ->
    [yes] Ce reçu est inscrit aux comptes du parc et signé.
   *[other] Ce reçu est signé\xA0; les comptes du parc le confirment dans un instant.
}
receipt-job = Numéro de la requête\xA0: { $job }
explanation-title = Pourquoi cette machine
explanation-gone = Le parc n’a plus l’explication de cette requête.
zone-ab = Alberta
zone-bc = Colombie-Britannique
zone-mb = Manitoba
zone-nb = Nouveau-Brunswick
zone-nl = Terre-Neuve-et-Labrador
zone-ns = Nouvelle-Écosse
zone-nt = Territoires du Nord-Ouest
zone-nu = Nunavut
zone-on = Ontario
zone-pe = Île-du-Prince-Édouard
zone-qc = Québec
zone-sk = Saskatchewan
zone-yt = Yukon

## Garder des conversations.

conversations-label = Mes conversations
here-title = Dans ce navigateur
here-kept = Vos conversations sont gardées dans ce navigateur, chiffrées. Si vous sortez, personne ne peut plus les lire.
here-lost = Des conversations gardées ici ne peuvent plus être lues\xA0: on a mis fin à la session de ce navigateur, un lien fait par quelqu’un d’autre a servi, ou le parc a été rétabli d’une copie. Les nouvelles sont gardées dans ce navigateur, chiffrées.
here-not-own = Rien n’est gardé\xA0: vous n’avez pas dit que cet ordinateur est le vôtre. Les conversations disparaissent avec cet onglet.
here-no-https = Rien n’est gardé\xA0: ce navigateur ne chiffre que sur une adresse en https. Les conversations disparaissent avec cet onglet.
here-failed = Le navigateur ne garde rien en ce moment\xA0: il n’a pas pu lire ou écrire ses données, ou joindre le parc. Rechargez la page pour essayer de nouveau.
here-search = Chercher dans vos conversations
here-none-found = Aucune ne contient ces mots.
here-rename = Renommer «\xA0{ $title }\xA0»
tab-title = Dans cet onglet
keep-this = Garder cette conversation
keep-kept = gardée
keep-not-kept = Elle n’est que dans cet onglet et disparaît avec lui.
keep-open = Ouvrir mes conversations gardées
keep-title = Conversations gardées
keep-none = Aucune pour l’instant.
keep-delete = Effacer «\xA0{ $title }\xA0»
keep-delete-sure = Effacer «\xA0{ $title }\xA0»\xA0? On ne pourra pas la rétablir.
keep-needs-https = Ce navigateur ne chiffre que sur une adresse en https. Demandez à l’exploitant l’adresse sûre du parc. En attendant, vous pouvez exporter la conversation.
keep-create-title = Garder des conversations
keep-create-lead = Elles restent dans ce navigateur, chiffrées par une phrase de passe que vous seul·e connaissez. Le parc ne les reçoit pas.
keep-phrase = Phrase de passe ({ $least } caractères ou plus)
keep-phrase-again = La même, encore une fois
keep-phrase-ask = Votre phrase de passe
keep-differs = Les deux phrases diffèrent.
keep-create = Créer
keep-honest = Cela protège vos conversations si quelqu’un copie les données de ce navigateur ou vole l’ordinateur. Cela ne les protège pas d’une personne qui modifie cette page, ce que l’exploitant du parc peut faire, ni d’une personne qui se sert de cet ordinateur pendant qu’elles sont ouvertes.
keep-code-title = Votre code de secours
keep-code-lead = Notez-le sur papier et rangez-le. Il ouvre vos conversations si vous oubliez la phrase de passe, et il n’est montré que cette fois.
keep-code-done = Je l’ai noté
keep-unlock = Ouvrir
keep-lost = Phrase de passe oubliée
keep-code-ask = Code de secours
keep-recover = Changer la phrase de passe
keep-erase = Tout effacer
keep-erase-sure = Effacer toutes les conversations gardées dans ce navigateur\xA0? On ne pourra pas les rétablir.
keep-erase-why = Sans la phrase ni le code, personne ne peut les rouvrir. Vous pouvez tout effacer et recommencer.
keep-wrong = Cela n’ouvre rien. Vérifiez chaque caractère, puis recommencez.
keep-failed = Le navigateur n’a pas pu écrire ou lire ses données. Vérifiez qu’il reste de la place et que la navigation privée est fermée, puis recommencez.
keep-unreadable = { $count ->
    [one] Une conversation gardée est abîmée et ne peut pas être lue.
   *[other] { $count } conversations gardées sont abîmées et ne peuvent pas être lues.
}
export-label = Exporter\xA0:
export-question = Question
export-answer = Réponse
export-document = Document joint\xA0:
`,xn=`lang`;function Sn(e,t){let n=new tt(`${e}-CA`,{useIsolating:!1,functions:{COOP:([e,t])=>vn(String(e),String(t))}});return n.addResource(new Et(t)),n}var Cn={fr:Sn(`fr`,bn),en:Sn(`en`,yn)},wn=new URLSearchParams(location.search).has(`lang`);function Tn(){let e=document.documentElement.lang===`en`?`en`:`fr`;if(wn)return e;let t=En();return t===`fr`||t===`en`?t:e}function En(){try{return localStorage.getItem(xn)}catch{return null}}var $=Bt(Tn());function Dn(e){$.value=e,document.documentElement.lang=e;try{localStorage.setItem(xn,e)}catch{}}function On(e,t){let n=Cn[$.value],r=n.getMessage(e);return r?.value?n.formatPattern(r.value,t?kn(t):null,[]):e}function kn(e){let t=Object.entries(e);return Object.fromEntries(t.map(([e,t])=>[e,typeof t==`string`?pn(t):t]))}function An(e){return new Intl.ListFormat(`${$.value}-CA`,{type:`conjunction`}).format(e.map(pn))}function jn(e,t=0){return e.toLocaleString(`${$.value}-CA`,{maximumFractionDigits:t})}function Mn(e){let t=new Date(e*1e3).toLocaleString(`${$.value}-CA`,{year:`numeric`,month:`long`,day:`numeric`,hour:`numeric`,minute:`2-digit`,timeZoneName:`short`});return $.value===`en`?t:t.replace(/ 0?(\d+) h /,` $1\xA0h\xA0`).replace(/^1 /,`1er `)}function Nn(e){return new Date(e*1e3).toLocaleTimeString(`${$.value}-CA`,{timeStyle:`short`}).replace(/\s/g,`\xA0`)}function Pn(e){let t=new Date(e*1e3);return t.getMinutes()===0?t.toLocaleTimeString(`${$.value}-CA`,{hour:`numeric`}).replace(/^0(?=\d)/,``).replace(/\s/g,`\xA0`):Nn(e)}var Fn=Symbol.for(`pv`),In=0;Array.isArray;function Ln(t,n,r,i,a,o){n||={};var s,c,l=n;if(`ref`in l&&typeof t!=`function`)for(c in l={},n)c==`ref`?s=n[c]:l[c]=n[c];var u={type:t,props:l,key:r,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:Fn,__v:--In,__i:-1,__u:0};return(a||o)&&(u.__source=a,u.__self=o),e.vnode&&e.vnode(u),u}export{P as S,we as _,wn as a,xe as b,jn as c,mn as d,sn as f,Ce as g,Bt as h,Pn as i,Dn as l,Z as m,Nn as n,$ as o,Wt as p,Mn as r,An as s,Ln as t,On as u,De as v,x,Te as y};